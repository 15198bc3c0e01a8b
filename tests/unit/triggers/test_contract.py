"""What subscribers read: CloudEvents that the official package accepts, and nothing that consent does not allow."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

from cloudevents.core.bindings.kafka import KafkaMessage, from_structured_event
from cloudevents.core.formats.json import JSONFormat
from msgspec.structs import replace

from tern_common.commerce import AMOUNT_LIMIT, AMOUNT_STEP, QUANTITY_LIMIT, TEXT_LIMIT, Item
from tern_common.events import Contact
from tern_triggers.domain import contract
from tern_triggers.domain.endings import endings
from tern_triggers.domain.facts import Fact
from tern_triggers.domain.folds import stories
from tern_triggers.domain.rules import Rule
from tern_triggers.domain.view import Verdicts, View
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
    contacts={"email": Contact(value="ann@example.com"), "phone": Contact(value="+8613800000000")},
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
        1,
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
    data = published(snap(0, "m1", "tea"), profile=replace(PROFILE, contacts={}))["data"]
    assert data["channels"] == [{"channel": "email"}]


def test_without_a_profile_the_contact_is_that_of_an_absorbed_customer_who_grants() -> None:
    other = Verdicts(consent={"marketing": {"push": True}}, contacts={"email": Contact(value="other@example.com")})
    seen = view(snap(0, "m1", "tea"), profile=None, former=[other, PROFILE])
    (ruling,) = decided(seen, READY, [CART])
    assert read(contract.encode(contract.fired(ruling, seen, SOURCE)))["data"]["channels"] == [
        {"channel": "email", "contact": "ann@example.com"}
    ]


def test_a_recall_shows_the_orders_that_were_kept() -> None:
    data = published(order(0, "o1"), rule=RECALL, minutes=90 * DAY + 5)["data"]
    assert data["orders"] == {"kept": 1, "last_order_id": "o1", "last_order_at": "2026-03-02T12:00:00Z"}
    assert data["reason"]["facts"]["threshold_days"] == 90


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
