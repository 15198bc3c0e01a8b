"""What a rule has decided can end, whichever mode the rule is in by then."""

from __future__ import annotations

from datetime import datetime

import pytest

from integration.triggers.shop import DAY, MINUTE, NOON, Shop, customer, event
from tern_common.events import PublicProfile, encode
from tern_triggers.domain.rules import RULE, Mode, Rule
from tern_triggers.store import rule_edits
from tern_triggers.store.rule_edits import Author
from tern_triggers.store.rule_seeds import seed
from tern_triggers.store.rulebook import Rulebook

BY = Author("ann (1)", "trying it", NOON)
VIP: Rule = RULE.validate_python(
    {
        "rule": "one_class",
        "kind": "change",
        "enters": "vip",
        "family": "service",
        "purpose": "service",
        "steps": [{"act": "ticket", "expires_after": "72h"}],
    }
)


def in_class(who: str, rev: int, since: datetime | None) -> bytes:
    return encode(
        PublicProfile(customer_id=customer(who), profile_version=rev, classes={} if since is None else {"vip": since})
    )


@pytest.fixture
async def shop(shop: Shop) -> Shop:
    """Ann entered a class, and somebody was told."""
    await seed(shop.pool, [VIP], NOON - 400 * DAY)
    book = Rulebook()
    await book.read(shop.pool)
    shop.work_by(book)
    await shop.take(event("ann", "Signed In", NOON, "m1"))
    await shop.meet(in_class("ann", 1, NOON))
    await shop.at(NOON + 10 * MINUTE)
    assert told(shop) == ["fired"]
    shop.clock.advance(MINUTE)
    return shop


def told(shop: Shop) -> list[str]:
    return [said["type"].split(".")[2] for said in shop.published("service")]


@pytest.mark.parametrize("mode", ["live", "paused", "shadow"])
async def test_a_class_that_is_left_cancels(shop: Shop, mode: Mode) -> None:
    await rule_edits.set_mode(shop.pool, "one_class", mode, None, BY)
    await shop.meet(in_class("ann", 2, None))
    assert told(shop) == ["fired", "cancelled"]
