"""Stock is asked for before a reminder that promises it: confirmed, rejected, silence, and an order in between."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import pytest

from integration.triggers.shop import DAY, HOUR, MINUTE, NOON, READY, Shop, cart, erased, order, profile
from tern_common.bus import Record
from tern_common.consume import Batch
from tern_common.errors import Poison
from tern_common.events import encode
from tern_common.topics import OUTCOMES, STOCK
from tern_triggers.domain.reports import Answer, HoldAnswered, OutcomeReported
from tern_triggers.reporting import ReportsHandler
from tern_triggers.store import reports
from unit.triggers.saying import CART

HELD = CART.model_copy(update={"steps": (CART.steps[0].model_copy(update={"hold": True}),)})
SOON = 2 * MINUTE


@pytest.fixture
async def shop(shop: Shop) -> Shop:
    """Ann's cart fell due, and the shop was asked for its stock."""
    shop = Shop(shop.pool, shop.broker, [HELD])
    await shop.meet(profile("ann"))
    await shop.take(cart("ann", NOON, "m1", "tea", "cup"))
    await shop.at(NOON + READY)
    await publish(shop)
    return shop


async def publish(shop: Shop) -> None:
    while await shop.publisher.publish():
        pass


def stock(shop: Shop) -> list[dict[str, Any]]:
    return [msgspec.json.decode(record.value) for record in shop.bus.sent(STOCK)]


def kinds(shop: Shop) -> list[str]:
    return [one["type"].split(".")[3] for one in stock(shop)]


async def answer(shop: Shop, status: Answer, until: datetime | None = None) -> None:
    said = HoldAnswered(hold_id=stock(shop)[0]["hold_id"], status=status, until=until)
    assert await reports.take_answers(shop.pool, [said], shop.clock.now()) == (1, 0)


async def test_the_shop_is_asked_first_and_nobody_is_told_yet(shop: Shop) -> None:
    (asked,) = stock(shop)
    assert (asked["cart_id"], asked["items"][0]) == ("c1", {"product_id": "cup", "quantity": 1})
    assert [record.key for record in shop.bus.sent(STOCK)] == [b"c1"]
    assert shop.published() == []
    assert [why for why, _ in await shop.deferred()] == ["awaiting-stock"]


async def test_what_is_confirmed_is_promised_in_the_reminder(shop: Shop) -> None:
    until = NOON + DAY
    await answer(shop, "confirmed", until)
    await shop.at(shop.clock.now() + SOON)
    (fired,) = shop.published()
    assert fired["data"]["hold"]["held_until"] == until.isoformat().replace("+00:00", "Z")
    assert kinds(shop) == ["requested"]


async def test_a_shop_that_names_no_time_holds_it_for_as_long_as_it_was_asked_to(shop: Shop) -> None:
    await answer(shop, "confirmed")
    await shop.at(shop.clock.now() + SOON)
    (fired,) = shop.published()
    assert fired["data"]["hold"]["held_until"] == stock(shop)[0]["expires_at"]


async def test_what_the_shop_holds_no_longer_is_not_promised(shop: Shop) -> None:
    await answer(shop, "confirmed", shop.clock.now() + MINUTE)
    await shop.at(shop.clock.now() + SOON)
    (fired,) = shop.published()
    assert "hold" not in fired["data"]


async def test_stock_for_somebody_who_is_erased_meanwhile_is_given_back_at_once(shop: Shop) -> None:
    await shop.take(erased("ann", {"ann": 2}))
    await publish(shop)
    assert kinds(shop) == ["requested", "released"]
    assert stock(shop)[1]["reason"] == "erased"
    assert await shop.count("hold") == 0


@pytest.mark.parametrize("status", ["rejected", None])
async def test_what_is_rejected_or_not_answered_is_reminded_of_without_a_promise(
    shop: Shop, status: Answer | None
) -> None:
    if status is not None:
        await answer(shop, status)
    await shop.at(shop.clock.now() + SOON)
    await publish(shop)
    (fired,) = shop.published()
    assert "hold" not in fired["data"]
    assert kinds(shop) == (["requested"] if status else ["requested", "released"])


async def test_an_answer_that_comes_too_late_changes_nothing(shop: Shop) -> None:
    await shop.at(shop.clock.now() + SOON)
    await answer(shop, "confirmed", NOON + DAY)
    await shop.at(shop.clock.now() + SOON)
    (row,) = await shop.rows("SELECT status FROM hold")
    assert (row[0], len(shop.published())) == ("released", 1)


async def test_an_order_in_between_means_no_reminder_and_gives_the_stock_back(shop: Shop) -> None:
    await shop.take(order("ann", shop.clock.now(), "o1", "tea"))
    await shop.at(shop.clock.now() + SOON)
    await publish(shop)
    assert shop.published() == []
    assert kinds(shop) == ["requested", "released"]
    assert stock(shop)[1]["reason"] == "ordered"


async def test_an_order_while_the_shop_thinks_gives_the_stock_back_without_waiting_for_the_answer(shop: Shop) -> None:
    await shop.take(order("ann", shop.clock.now(), "o1", "tea"))
    assert await shop.timing.look() == 1, "at the same moment"
    await publish(shop)
    assert kinds(shop) == ["requested", "released"]
    assert await shop.timing.look() == 0


async def test_consent_that_goes_while_the_shop_thinks_means_no_reminder(shop: Shop) -> None:
    """At the answer everything is checked again."""
    await shop.meet(profile("ann", 2, email=False))
    await answer(shop, "confirmed", NOON + DAY)
    await shop.at(shop.clock.now() + SOON)
    await publish(shop)
    assert shop.published() == []
    assert stock(shop)[1]["reason"] == "no-consent"


async def test_an_order_after_the_reminder_gives_the_stock_back_at_once(shop: Shop) -> None:
    await answer(shop, "partial", NOON + DAY)
    await shop.at(shop.clock.now() + SOON)
    await shop.take(order("ann", shop.clock.now() + MINUTE, "o1", "tea"))
    await publish(shop)
    assert [one["type"].split(".")[2] for one in shop.published()] == ["fired", "cancelled"]
    assert kinds(shop) == ["requested", "released"]


async def test_what_was_promised_is_given_back_when_the_reminder_expires(shop: Shop) -> None:
    await answer(shop, "confirmed", NOON + 3 * DAY)
    await shop.at(shop.clock.now() + SOON)
    await shop.at(NOON + DAY + HOUR + MINUTE)
    await publish(shop)
    assert [one.get("reason") for one in stock(shop)] == [None, "expired"]
    assert await shop.next_look() is None


async def test_answers_and_outcomes_come_by_their_topics_too(shop: Shop) -> None:
    handler = ReportsHandler(shop.pool, shop.clock)
    hold_id = stock(shop)[0]["hold_id"]
    asked = record(STOCK, shop.bus.sent(STOCK)[0].value)
    confirmed = record(STOCK, encode(HoldAnswered(hold_id=hold_id, status="confirmed", until=NOON + DAY)))
    await handler.apply(Batch([handler.decode(asked), handler.decode(confirmed)], {}))
    await shop.at(shop.clock.now() + SOON)
    (fired,) = shop.published()
    sent = record(OUTCOMES, encode(OutcomeReported(trigger_id=fired["id"], status="sent", at=NOON, channel="email")))
    await handler.apply(Batch([handler.decode(sent), handler.decode(sent)], {}))
    assert await shop.count("outcome") == 1


@pytest.mark.parametrize("topic", [OUTCOMES, STOCK])
@pytest.mark.parametrize("value", [b"{", b'{"status": "sent"}', b"[]", b"\xff"])
async def test_what_cannot_be_read_is_poison(shop: Shop, topic: str, value: bytes) -> None:
    with pytest.raises(Poison):
        ReportsHandler(shop.pool, shop.clock).decode(record(topic, value))


def record(topic: str, value: bytes) -> Record:
    return Record(topic, 0, 0, b"k", value)
