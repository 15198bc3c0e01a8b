"""Triggers and their rows are named by what they are about: ids of RFC 9562, version 5, that anyone can work out."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis.strategies import booleans, integers, text
from msgspec.structs import replace

from tern_triggers.domain.decisions import NAMESPACE, Outcome, trigger_id
from unit.triggers.saying import fired, snap, view


@given(text(), text(), text(), integers(0, 9), booleans())
def test_a_trigger_is_named_by_rule_key_cycle_and_step(
    rule: str, key: str, cycle_ref: str, step: int, shadow: bool
) -> None:
    words = f"{rule}|{key}|{cycle_ref}|{step}" + ("|shadow" if shadow else "")
    assert trigger_id(rule, key, cycle_ref, step, shadow=shadow) == str(uuid.uuid5(NAMESPACE, words))


def test_a_row_is_named_by_its_trigger_and_home_and_a_note_apart_from_the_decision() -> None:
    (one,) = fired(view(snap(0, "m1", "mug")), 90)
    trigger = uuid.UUID(one.trigger_id)
    assert one.row_id == str(uuid.uuid5(trigger, one.home_id))
    assert replace(one, outcome=Outcome.ENDED).row_id == str(uuid.uuid5(trigger, f"{one.home_id}|ended"))
