"""Random shop histories that are small enough to collide: few persons, shared phones and browsers, late and twice."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from random import Random
from typing import Any, NamedTuple

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from msgspec import Raw

from tern_common.events import Event
from tern_common.identifiers import NAMESPACES, Namespaces
from tern_identity.domain.collapsing import Heard
from tern_identity.domain.reading import read
from tern_identity.domain.rules import DeclaredNamespace, Rules

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)

_FEW = {"user_id": 1, "wechat_unionid": 1, "loyalty_card": 2, "phone": 2, "email": 2, "wechat_openid": 1}
_OWN = {"pos_member": DeclaredNamespace(kind="strong", limit=1, sources=frozenset({"till"}))}

TIGHT = Rules(
    version=1,
    values_per_customer=_FEW,
    namespaces=_OWN,
    partners_unique=2,
    partners_other=3,
    new_partners_per_hour=2,
    browsers_per_account=2,
)
HASTY = Rules(
    version=1,
    values_per_customer=_FEW,
    partners_unique=9,
    partners_other=9,
    new_partners_per_hour=1,
    browsers_per_account=2,
)
"""Two new partners within an hour are too many: values go into quarantine, and come out when an earlier saying does."""

WARY = Rules(
    version=1,
    values_per_customer=_FEW,
    namespaces=_OWN,
    blocklist=("phone:*4", "anonymous_id:browser-3"),
    distrusted=frozenset({"till"}),
    partners_unique=3,
    partners_other=4,
    new_partners_per_hour=5,
    browsers_per_account=1,
    deferred_above=3,
)
"""Does not believe the till, has a blocklist, and folds groups of four and more when there is time."""

SHIPPED = Rules(
    version=1,
    values_per_customer={
        "user_id": 1,
        "wechat_unionid": 1,
        "loyalty_card": 3,
        "phone": 3,
        "email": 5,
        "wechat_openid": 1,
    },
    partners_unique=5,
    partners_other=10,
    new_partners_per_hour=10,
    browsers_per_account=500,
)

ALL_RULES = st.sampled_from([TIGHT, HASTY, WARY, SHIPPED])


class Said(NamedTuple):
    """One event in short: numbers of a person, a phone, …; 0 is none. Hours since the start.

    The shop's server says it; or its `till`; or, when it is not `trusted`, a browser.
    """

    message: int
    hours: int
    user: int = 0
    phone: int = 0
    email: int = 0
    browser: int = 0
    trusted: bool = True
    till: bool = False
    union: int = 0
    card: int = 0
    openid: int = 0
    other_openid: int = 0
    device: int = 0
    member: int = 0

    @property
    def source(self) -> str:
        return ("till" if self.till else "shop") if self.trusted else "browser"


def event(said: Said) -> Event:
    contacts: dict[str, Any] = {}
    if said.phone:
        contacts["phone"] = f"1381234567{said.phone}"
    if said.email:
        contacts["email"] = f"ann{said.email}@example.com"
    moment = START + timedelta(hours=said.hours)
    return Event(
        message_id=f"m-{said.message}",
        type="identify",
        event_time=moment,
        received_at=moment,
        source_id=said.source,
        trusted=said.trusted,
        user_id=f"user-{said.user}" if said.user else None,
        anonymous_id=f"browser-{said.browser}" if said.browser else None,
        traits=Raw(msgspec.json.encode(contacts)),
        context=Raw(msgspec.json.encode(_context(said))),
    )


def _context(said: Said) -> dict[str, Any]:
    external = [
        {"type": "wechat_unionid", "id": f"union-{said.union}"} if said.union else None,
        {"type": "loyalty_card", "id": f"card-{said.card}"} if said.card else None,
        {"type": "wechat_openid", "app": "wx1", "id": f"openid-{said.openid}"} if said.openid else None,
        {"type": "wechat_openid", "app": "wx2", "id": f"other-openid-{said.other_openid}"}
        if said.other_openid
        else None,
        {"type": "pos_member", "id": f"member-{said.member}"} if said.member else None,
    ]
    device = {"device": {"id": f"device-{said.device}"}} if said.device else {}
    return {**device, "externalIds": [one for one in external if one is not None]}


@lru_cache(maxsize=1 << 14)
def hear(said: Said, namespaces: Namespaces = NAMESPACES) -> Heard:
    told = event(said)
    return Heard(read(told, namespaces), told.event_time, told.message_id, told.source_id)


def heard(history: Iterable[Said], namespaces: Namespaces = NAMESPACES) -> list[Heard]:
    return [hear(said, namespaces) for said in history]


HOURS = (0, 1, 2, 20, 24, 30, 50, 75)
"""Within an hour, within a day, and on four days."""


def saying(random: Random, messages: int = 30, persons: int = 3) -> Said:
    """One event by chance. What several share is stated less often than what is one's own."""

    def maybe(chance: float, most: int) -> int:
        return random.randint(1, most) if random.random() < chance else 0

    return Said(
        message=random.randint(1, messages),
        hours=random.choice(HOURS),
        user=maybe(0.6, persons),
        phone=maybe(0.5, persons + 1),
        email=maybe(0.35, persons),
        browser=maybe(0.5, persons),
        trusted=random.random() < 0.8,
        till=random.random() < 0.25,
        union=maybe(0.12, 2),
        card=maybe(0.12, 3),
        openid=maybe(0.1, 2),
        other_openid=maybe(0.1, 2),
        device=maybe(0.12, 2),
        member=maybe(0.12, 2),
    )


_random = Random("sayings")
POOL = [saying(_random) for _ in range(3_000)]
"""Drawn as a whole: thus a history costs a draw per event, not fifteen."""

CHANCES = st.builds(Random, st.integers(0, (1 << 32) - 1))
"""All else that is by chance in a test, from one draw."""

EXAMPLES = max(300, settings().max_examples)
"""Of each promise; the profile `deep` asks for more."""

LONGEST = 40 if EXAMPLES == 300 else 150
"""Sayings of a long history."""

histories = st.lists(st.sampled_from(POOL), min_size=5, max_size=14)
"""Any history. One message may come with several contents, as only a broken client sends it."""
