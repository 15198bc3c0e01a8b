"""The bytes of what marketing systems and storefronts tell triggers, and are asked. A golden is only ever added to."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from contract.test_wire import Golden
from tern_common.errors import Poison
from tern_common.events import encode
from tern_triggers.domain.reports import (
    HeldItem,
    HoldAnswered,
    HoldReleased,
    HoldRequested,
    OutcomeReported,
    decode_outcome,
    decode_stock,
    hold_id_of,
)

ANN, TRIGGER = "018f0000-0000-7000-8000-000000000001", "018f0000-0000-8000-8000-0000000000aa"
HOLD = hold_id_of(TRIGGER)
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)

GOLDENS = {
    "outcome": Golden(
        OutcomeReported(trigger_id=TRIGGER, status="clicked", at=AT, channel="email"),
        f'{{"trigger_id":"{TRIGGER}","status":"clicked","at":"2026-03-01T12:00:00Z","channel":"email"}}'.encode(),
        decode_outcome,
    ),
    "outcome of a ticket": Golden(
        OutcomeReported(trigger_id=TRIGGER, status="done", at=AT),
        f'{{"trigger_id":"{TRIGGER}","status":"done","at":"2026-03-01T12:00:00Z"}}'.encode(),
        decode_outcome,
    ),
    "hold requested": Golden(
        HoldRequested(
            hold_id=HOLD,
            trigger_id=TRIGGER,
            customer_id=ANN,
            items=(HeldItem(product_id="tea", quantity=2),),
            expires_at=AT,
            cart_id="c",
        ),
        (
            f'{{"type":"tern.stock.hold.requested.v1","hold_id":"{HOLD}","trigger_id":"{TRIGGER}",'
            f'"customer_id":"{ANN}","items":[{{"product_id":"tea","quantity":2}}],'
            '"expires_at":"2026-03-01T12:00:00Z","cart_id":"c"}'
        ).encode(),
        decode_stock,
    ),
    "hold answered": Golden(
        HoldAnswered(hold_id=HOLD, status="partial", until=AT),
        (
            f'{{"type":"tern.stock.hold.answered.v1","hold_id":"{HOLD}","status":"partial",'
            '"until":"2026-03-01T12:00:00Z"}'
        ).encode(),
        decode_stock,
    ),
    "hold released": Golden(
        HoldReleased(hold_id=HOLD, trigger_id=TRIGGER, reason="ordered", at=AT),
        (
            f'{{"type":"tern.stock.hold.released.v1","hold_id":"{HOLD}","trigger_id":"{TRIGGER}",'
            '"reason":"ordered","at":"2026-03-01T12:00:00Z"}'
        ).encode(),
        decode_stock,
    ),
}

each = pytest.mark.parametrize("golden", GOLDENS.values(), ids=GOLDENS)


@each
def test_a_report_is_written_as_it_always_was(golden: Golden) -> None:
    assert encode(golden.model) == golden.value


@each
def test_a_report_is_read_as_it_was_meant_also_with_fields_of_a_later_release(golden: Golden) -> None:
    assert golden.decode(golden.value) == golden.model
    assert golden.decode(golden.value[:-1] + b',"added_later":[1]}') == golden.model


@pytest.mark.parametrize(
    "change",
    [
        (TRIGGER, "ann@example.com"),
        (TRIGGER, TRIGGER.upper()),
        ("clicked", "loved"),
        ('"email"', '"e-mail me"'),
        ("12:00:00Z", "12:00:00"),
        ("2026-03-01T", "yesterday "),
    ],
    ids=["no id", "an id that was never published", "no status", "no channel", "a time without a zone", "no time"],
)
def test_what_is_no_outcome_is_poison(change: tuple[str, str]) -> None:
    with pytest.raises(Poison, match="not-an-outcome"):
        decode_outcome(GOLDENS["outcome"].value.decode().replace(*change).encode())


@pytest.mark.parametrize("value", [b"", b"\xff", b"[]", b'{"type":"tern.stock.hold.answered.v1"}', b'{"type":"other"}'])
def test_what_is_no_stock_record_is_poison(value: bytes) -> None:
    with pytest.raises(Poison, match="not-a-stock-record"):
        decode_stock(value)


def test_a_hold_has_one_id_however_often_it_is_asked_for() -> None:
    assert hold_id_of(TRIGGER) == hold_id_of(TRIGGER) != hold_id_of(ANN)
