"""The bytes of the three CloudEvents that subscribers read. A golden is never edited, only added to."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_structured_event
from cloudevents.core.formats.json import JSONFormat

from tern_triggers.domain.contract import (
    CONTENT_TYPE,
    AllowedChannel,
    CartContent,
    CartLine,
    CloudEvent,
    Context,
    EventRef,
    Fired,
    Held,
    Offer,
    OrdersContent,
    ReasonFacts,
    Revoked,
    Timing,
    encode,
)
from tern_triggers.domain.story import Gone

ANN, TRIGGER = "018f0000-0000-7000-8000-000000000001", "018f0000-0000-8000-8000-0000000000aa"
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Golden(NamedTuple):
    """An event, its bytes, and the type of its data."""

    event: CloudEvent[Any]
    value: bytes
    data: type[Fired | Revoked]


class Read(msgspec.Struct):
    """The envelope as a subscriber reads it: the type says what the data is."""

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    data: msgspec.Raw


def envelope(data: Fired | Revoked, suffix: str, type_: str) -> CloudEvent[Any]:
    return CloudEvent(id=TRIGGER + suffix, source="/tern/test", type=type_, subject=ANN, time=LATER, data=data)


def written(data: bytes, suffix: str, type_: str) -> bytes:
    return (
        (
            f'{{"id":"{TRIGGER}{suffix}","source":"/tern/test","type":"{type_}","subject":"{ANN}",'
            '"time":"2026-03-02T12:00:00Z","data":'
        ).encode()
        + data
        + b',"specversion":"1.0","datacontenttype":"application/json"}'
    )


CART = Fired(
    trigger_id=TRIGGER,
    customer_id=ANN,
    rule="cart_abandoned",
    rule_version=1,
    family="cart",
    purpose="marketing",
    step=0,
    act="contact",
    reason=ReasonFacts("cart_abandoned", "c", "m-1", AT, AT, {"items": 2}),
    channels=[AllowedChannel("email", "ann@example.com"), AllowedChannel("push")],
    timing=Timing(AT, AT, LATER, LATER),
    cart=CartContent([CartLine("tea", 2, Decimal("4.5000"), "Tea"), CartLine("pot", 1)], "c", Decimal("9.0000")),
)
CART_BYTES = (
    f'{{"trigger_id":"{TRIGGER}","customer_id":"{ANN}","rule":"cart_abandoned","rule_version":1,"family":"cart",'
    '"purpose":"marketing","step":0,"act":"contact","reason":{"code":"cart_abandoned","key":"c","cycle_ref":"m-1",'
    '"started_at":"2026-03-01T12:00:00Z","anchor_at":"2026-03-01T12:00:00Z","facts":{"items":2}},'
    '"channels":[{"channel":"email","contact":"ann@example.com"},{"channel":"push"}],'
    '"timing":{"due_at":"2026-03-01T12:00:00Z","round_at":"2026-03-01T12:00:00Z",'
    '"fired_at":"2026-03-02T12:00:00Z","expires_at":"2026-03-02T12:00:00Z"},'
    '"cart":{"items":[{"product_id":"tea","quantity":2,"price":4.5000,"name":"Tea"},'
    '{"product_id":"pot","quantity":1}],"cart_id":"c","total":9.0000}}'
).encode()
RECALL = msgspec.structs.replace(CART, cart=None, orders=OrdersContent(3, "o-1", AT))
RECALL_BYTES = (
    CART_BYTES[: CART_BYTES.index(b'"cart":{')]
    + b'"orders":{"kept":3,"last_order_id":"o-1","last_order_at":"2026-03-01T12:00:00Z"}}'
)
FULL = msgspec.structs.replace(
    CART,
    reason=ReasonFacts("cart_abandoned", "c", "m-1", AT, AT, {"items": 2}, "inactivity", [EventRef("m-1", AT)]),
    context=Context("tea", "drinks"),
    step_name="last_call",
    due_by=LATER,
    offer=Offer(True),
    hold=Held(TRIGGER, "partial", LATER),
    attribution="token",
)
FULL_BYTES = (
    CART_BYTES[:-1].replace(
        b'"facts":{"items":2}}',
        b'"facts":{"items":2},"kind":"inactivity","events":[{"message_id":"m-1","at":"2026-03-01T12:00:00Z"}]}',
    )
    + (
        ',"context":{"product_id":"tea","category":"drinks"},"step_name":"last_call","due_by":"2026-03-02T12:00:00Z",'
        f'"offer":{{"incentive_eligible":true}},"hold":{{"hold_id":"{TRIGGER}","status":"partial",'
        '"held_until":"2026-03-02T12:00:00Z"},"attribution":"token"}'
    ).encode()
)
REVOKED = Revoked(
    trigger_id=TRIGGER,
    customer_id=ANN,
    rule="cart_abandoned",
    key="c",
    step=0,
    reason=Gone.ORDERED,
    at=AT,
    fired_at=LATER,
)
REVOKED_BYTES = (
    f'{{"trigger_id":"{TRIGGER}","customer_id":"{ANN}","rule":"cart_abandoned","key":"c","step":0,"reason":"ordered",'
    '"at":"2026-03-01T12:00:00Z","fired_at":"2026-03-02T12:00:00Z"}'
).encode()


def golden(data: Fired | Revoked, value: bytes, happened: str) -> Golden:
    type_ = f"tern.trigger.{happened}.v1"
    suffix = "" if happened == "fired" else f"/{happened}"
    return Golden(envelope(data, suffix, type_), written(value, suffix, type_), type(data))


GOLDENS = {
    "fired for a cart": golden(CART, CART_BYTES, "fired"),
    "fired for a recall": golden(RECALL, RECALL_BYTES, "fired"),
    "fired with all there is": golden(FULL, FULL_BYTES, "fired"),
    "retracted": golden(REVOKED, REVOKED_BYTES, "retracted"),
    "cancelled": golden(REVOKED, REVOKED_BYTES, "cancelled"),
}

each = pytest.mark.parametrize("golden", GOLDENS.values(), ids=GOLDENS)


def read(value: bytes, data: type[Fired | Revoked]) -> CloudEvent[Any]:
    found = msgspec.json.decode(value, type=Read)
    return CloudEvent(
        id=found.id,
        source=found.source,
        type=found.type,
        subject=found.subject,
        time=found.time,
        data=msgspec.json.decode(found.data, type=data),
    )


@each
def test_a_trigger_is_written_as_it_always_was(golden: Golden) -> None:
    assert encode(golden.event) == golden.value


@each
def test_what_was_written_is_read_as_the_same(golden: Golden) -> None:
    assert read(golden.value, golden.data) == golden.event


@each
def test_a_field_of_a_later_release_does_not_disturb(golden: Golden) -> None:
    later = golden.value.replace(b',"reason":', b',"added_later":[1],"reason":', 1)[:-1] + b',"extension":"x"}'
    assert later.count(b"added_later") == 1
    assert read(later, golden.data) == golden.event


@each
def test_the_official_package_reads_it(golden: Golden) -> None:
    message = KafkaMessage({"content-type": CONTENT_TYPE.encode()}, ANN.encode(), golden.value)
    event = from_structured_event(message, JSONFormat())
    assert (event.get_id(), event.get_type(), event.get_subject()) == (golden.event.id, golden.event.type, ANN)
