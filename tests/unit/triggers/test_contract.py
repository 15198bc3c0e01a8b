"""What subscribers read: CloudEvents that the official package accepts, and nothing that consent does not allow."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any, Literal

from cloudevents.core.bindings.kafka import KafkaMessage, from_structured_event
from cloudevents.core.formats.json import JSONFormat
from msgspec.structs import replace

from tern_common.commerce import AMOUNT_LIMIT, AMOUNT_STEP, QUANTITY_LIMIT, TEXT_LIMIT, Item
from tern_common.events import Contact
from tern_triggers.domain import contract
from tern_triggers.domain.endings import endings
from tern_triggers.domain.facts import Fact
from tern_triggers.domain.folds.telling import stories
from tern_triggers.domain.reports import hold_id_of
from tern_triggers.domain.rules import Rule
from tern_triggers.domain.story import ReasonShown
from tern_triggers.domain.view import Hold, Verdicts, View
from unit.triggers.saying import (
    ANN,
    CART,
    DAY,
    POLICY,
    RECALL,
    RULESET,
    at,
    checkout,
    decided,
    order,
    said,
    snap,
    view,
)

READY = 65
SOURCE = "/tern/test"
TEA = Item("tea", 2, Decimal("4.5000"), "Green tea")
PROFILE = Verdicts(
    consent={"marketing": {"email": True, "sms": True, "push": True}},
    contacts={
        "email": Contact(value="ann@example.com", trusted=True),
        "phone": Contact(value="+8613800000000", trusted=True),
    },
)


def published(*facts: Fact, rule: Rule = CART, minutes: float = READY, profile: Verdicts = PROFILE) -> dict[str, Any]:
    seen = view(*facts, profile=profile)
    (ruling,) = decided(seen, minutes, [rule])
    return read(contract.encode(contract.fired(ruling, seen, SOURCE)))


def read(value: bytes) -> dict[str, Any]:
    """The value as the official package reads it from Kafka; returns its attributes and data."""
    message = KafkaMessage(headers={"content-type": contract.CONTENT_TYPE.encode()}, key=ANN.encode(), value=value)
    event = from_structured_event(message, JSONFormat())
    data = event.get_data()
    return {**event.get_attributes(), "data": data if isinstance(data, dict) else json.loads(str(data))}


def test_a_fired_trigger_is_a_cloudevent_that_says_all_that_is_needed() -> None:
    event = published(said("snapshot", 0, "m1", TEA))
    data = event["data"]
    assert (event["specversion"], event["type"], event["source"]) == ("1.0", "tern.trigger.fired.v1", SOURCE)
    assert (event["id"], event["subject"], event["datacontenttype"]) == (data["trigger_id"], ANN, "application/json")
    assert (data["rule"], data["rule_version"], data["family"], data["purpose"]) == (
        "cart_abandoned",
        CART.version,
        "cart",
        "marketing",
    )
    assert data["channels"] == [{"channel": "email", "contact": "ann@example.com"}]
    assert data["cart"] == {
        "cart_id": "c",
        "items": [{"product_id": "tea", "quantity": 2, "price": 4.5, "name": "Green tea"}],
        "total": 9.0,
    }
    assert data["reason"]["cycle_ref"] == "m1"
    assert data["timing"] == {
        "due_at": "2026-03-02T13:00:00Z",
        "round_at": "2026-03-02T13:05:00Z",
        "fired_at": "2026-03-02T13:05:00Z",
        "expires_at": "2026-03-03T13:00:00Z",
    }


def test_the_unnamed_cart_has_no_id_and_a_cart_with_an_unknown_price_no_total() -> None:
    data = published(snap(0, "m1", "tea", cart=""))["data"]
    assert data["cart"] == {"items": [{"product_id": "tea", "quantity": 1}]}


def test_contact_data_stands_only_where_its_consent_is_granted() -> None:
    rule = CART.model_copy(update={"channels": ("sms", "email", "push")})
    profile = replace(PROFILE, consent={"marketing": {"sms": True, "push": True}})
    value = published(snap(0, "m1", "tea"), rule=rule, profile=profile)
    assert value["data"]["channels"] == [{"channel": "sms", "contact": "+8613800000000"}, {"channel": "push"}]
    assert "ann@example.com" not in json.dumps(value["data"])


def test_a_channel_without_a_contact_point_names_none() -> None:
    rule = CART.model_copy(update={"channels": ("push",)})
    data = published(snap(0, "m1", "tea"), rule=rule, profile=replace(PROFILE, contacts={}))["data"]
    assert data["channels"] == [{"channel": "push"}]


def test_without_a_profile_the_contact_is_that_of_an_absorbed_customer_who_grants() -> None:
    strange = {"email": Contact(value="a.stranger@example.com", trusted=True)}
    other = Verdicts(consent={"marketing": {"push": True}}, contacts=strange)
    seen = view(snap(0, "m1", "tea"), profile=None, former=[other, PROFILE])
    (ruling,) = decided(seen, READY, [CART])
    assert read(contract.encode(contract.fired(ruling, seen, SOURCE)))["data"]["channels"] == [
        {"channel": "email", "contact": "ann@example.com"}
    ]


def test_a_recall_shows_the_orders_that_were_kept() -> None:
    data = published(order(0, "o1"), rule=RECALL, minutes=90 * DAY + 5)["data"]
    assert data["orders"] == {"kept": 1, "last_order_id": "o1", "last_order_at": "2026-03-02T12:00:00Z"}
    assert data["reason"]["facts"]["threshold_days"] == 90


def test_of_several_that_grant_the_most_trustworthy_contact_is_named() -> None:
    doubtful = replace(PROFILE, contacts={"email": Contact(value="a@example.com", trusted=True, doubtful=True)})
    seen = view(snap(0, "m1", "tea"), profile=None, former=[doubtful, PROFILE])
    (ruling,) = decided(seen, READY, [CART])
    assert read(contract.encode(contract.fired(ruling, seen, SOURCE)))["data"]["channels"] == [
        {"channel": "email", "contact": "ann@example.com"}
    ]


def with_step(**says: Any) -> Rule:
    """The cart rule with one step that says so."""
    return CART.model_copy(update={"steps": (CART.steps[0].model_copy(update=says),)})


def test_the_events_that_led_here_are_named_the_first_and_the_newest() -> None:
    facts = [snap(n, f"m{n:02}", *("tea", "pot")[: 1 + n % 2]) for n in range(14)]
    reason = published(*facts, minutes=13 + READY)["data"]["reason"]
    assert reason["kind"] == "inactivity"
    assert [event["message_id"] for event in reason["events"]] == ["m00", *(f"m{n:02}" for n in range(5, 14))]
    assert reason["events"][0]["at"] == "2026-03-02T12:00:00Z"


def test_an_offer_is_spoken_of_only_by_steps_that_may_make_one() -> None:
    assert "offer" not in published(snap(0, "m1", "tea"))["data"]
    seen = view(snap(0, "m1", "tea"), profile=PROFILE)
    (ruling,) = decided(seen, READY, [with_step(incentive=True)])
    allowed = contract.fired(ruling._replace(incentive=True), seen, SOURCE)
    refused = contract.fired(ruling._replace(incentive=False), seen, SOURCE)
    assert (allowed.data.offer, refused.data.offer) == (contract.Offer(True), contract.Offer(False))


def test_a_ticket_names_its_step_and_when_it_has_to_be_done() -> None:
    rule = with_step(act="ticket", due_in=timedelta(hours=24), name="call_back")
    data = published(snap(0, "m1", "tea"), rule=rule)["data"]
    assert (data["act"], data["step_name"], data["due_by"]) == ("ticket", "call_back", "2026-03-03T13:05:00Z")
    assert data["channels"] == []


def held(status: Literal["confirmed", "partial", "rejected", "requested"], until: float | None) -> contract.Held | None:
    seen = view(snap(0, "m1", "tea"), profile=PROFILE)
    (ruling,) = decided(seen, READY, [CART])
    trigger_id = ruling.decision.trigger_id
    hold = Hold(hold_id_of(trigger_id), trigger_id, status, None if until is None else at(until))
    return contract.fired(ruling, replace(seen, holds={trigger_id: hold}), SOURCE).data.hold


def test_held_until_is_promised_only_where_the_shop_has_confirmed() -> None:
    confirmed, partial = held("confirmed", 600), held("partial", 600)
    assert confirmed is not None
    assert partial is not None
    assert (confirmed.status, confirmed.held_until, partial.status) == ("confirmed", at(600), "partial")
    assert (held("rejected", None), held("requested", None), held("confirmed", None)) == (None, None, None)
    assert "hold" not in published(snap(0, "m1", "tea"))["data"]


def test_what_is_about_neither_cart_nor_orders_names_its_product_and_category() -> None:
    seen = view(snap(0, "m1", "tea"), profile=PROFILE)
    (ruling,) = decided(seen, READY, [CART])
    shown = ReasonShown({"views": 3}, "tea", "drinks")
    candidate = replace(ruling.candidate, story=replace(ruling.candidate.story, shown=shown))
    data = read(contract.encode(contract.fired(ruling._replace(candidate=candidate), seen, SOURCE)))["data"]
    assert data["context"] == {"product_id": "tea", "category": "drinks"}
    assert not {"cart", "orders"} & data.keys()


def test_the_attribution_token_is_the_triggers_own_and_survives_links() -> None:
    data = published(snap(0, "m1", "tea"))["data"]
    assert data["attribution"] == contract.attribution(data["trigger_id"])
    assert re.fullmatch("[a-z2-7]{26}", data["attribution"])


def revoked(late: Fact, now: float) -> dict[str, Any]:
    seen = view(snap(0, "m1", "tea"))
    (ruling,) = decided(seen, READY, [CART])
    after: View = view(snap(0, "m1", "tea"), late, decisions=[ruling.decision])
    (ending,) = endings(stories(RULESET, after, POLICY), after.decisions, at(now))
    return read(contract.encode(contract.revoked(ending, at(now), SOURCE)))


def test_retractions_and_cancellations_have_ids_of_their_own_and_name_their_trigger() -> None:
    fired = published(snap(0, "m1", "tea"))
    retracted = revoked(checkout(30, "m2"), 70)
    cancelled = revoked(order(66, "o1", "tea"), 70)
    assert (retracted["id"], retracted["type"]) == (f"{fired['id']}/retracted", "tern.trigger.retracted.v1")
    assert (cancelled["id"], cancelled["type"]) == (f"{fired['id']}/cancelled", "tern.trigger.cancelled.v1")
    assert retracted["data"]["trigger_id"] == cancelled["data"]["trigger_id"] == fired["id"]
    assert (retracted["data"]["reason"], cancelled["data"]["reason"]) == ("checkout", "ordered")
    assert retracted["subject"] == fired["subject"]
    assert cancelled["data"]["at"] == "2026-03-02T13:06:00Z"


def test_the_latest_moment_to_act_is_the_expiry() -> None:
    expires = published(snap(0, "m1", "tea"))["data"]["timing"]["expires_at"]
    assert expires == (at(60) + timedelta(hours=24)).isoformat().replace("+00:00", "Z")


def test_a_huge_cart_shows_its_most_valuable_lines_and_counts_the_rest() -> None:
    told = said("snapshot", 0, "m1", *(Item(f"p{n:03}", 1, Decimal(n)) for n in range(130)), Item("gift", 1))
    shown = published(told)["data"]["cart"]
    assert [line["product_id"] for line in shown["items"]] == [f"p{n:03}" for n in range(30, 130)]
    assert (shown["more"], "total" in shown) == (31, False)


def test_the_worst_cart_that_can_be_said_fits_into_a_record() -> None:
    """Each text as long as `commerce` lets it be, of characters that JSON writes in six bytes."""
    ugly = "\x01" * (TEXT_LIMIT - 4)
    lines = [Item(f"{n:04}{ugly}", QUANTITY_LIMIT, AMOUNT_LIMIT - AMOUNT_STEP, ugly) for n in range(1000)]
    seen = view(*(said("add", n, f"m{n}", *lines[n::10]) for n in range(10)), profile=PROFILE)
    (ruling,) = decided(seen, 10 + READY, [CART])
    assert len(contract.encode(contract.fired(ruling, seen, SOURCE))) < 500_000
