"""The demo succeeds only when exactly the right triggers were read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tern_local.demo.telling import spoken
from tern_local.demo.verdict import FIRED, Expected, faults, found

FIRED_IS_TOO_MUCH = f"{FIRED} of {{}} for {{}} should not be there"
EXPECTED = (Expected("cart", "cart_abandoned", "The visitor"), Expected("recall", "recall", "The regular"))
NAMES = {"id-1": "The visitor", "id-2": "The buyer", "id-3": "The regular"}


def event(rule: str, subject: str, type_: str = FIRED) -> dict[str, Any]:
    return {"type": type_, "subject": subject, "data": {"rule": rule}}


REMINDER = ("cart", event("cart_abandoned", "id-1"))
CALL_BACK = ("recall", event("recall", "id-3"))


def test_the_story_ends_well_when_exactly_both_were_read() -> None:
    assert faults(EXPECTED, found([CALL_BACK, REMINDER], NAMES)) == []


@pytest.mark.parametrize(
    ("read", "said"),
    [
        ([REMINDER], ["recall for The regular was not published"]),
        (
            [REMINDER, REMINDER, CALL_BACK],
            [FIRED_IS_TOO_MUCH.format("cart_abandoned", "The visitor")],
        ),
        (
            [REMINDER, CALL_BACK, ("cart", event("cart_abandoned", "id-2"))],
            [FIRED_IS_TOO_MUCH.format("cart_abandoned", "The buyer")],
        ),
        (
            [REMINDER, CALL_BACK, ("cart", event("cart_abandoned", "id-1", "tern.trigger.retracted.v1"))],
            ["tern.trigger.retracted.v1 of cart_abandoned for The visitor should not be there"],
        ),
        (
            [REMINDER, ("recall", event("recall", "id-9"))],
            [
                "recall for The regular was not published",
                FIRED_IS_TOO_MUCH.format("recall", "id-9"),
            ],
        ),
    ],
)
def test_anything_missing_doubled_or_for_another_is_a_fault(read: list[Any], said: list[str]) -> None:
    assert faults(EXPECTED, found(read, NAMES)) == said


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(days=89, hours=22), "89 days and 22 hours"),
        (timedelta(hours=1, minutes=10), "1 hour and 10 minutes"),
        (timedelta(seconds=3), "a moment"),
    ],
)
def test_spans_are_told_as_people_say_them(span: timedelta, words: str) -> None:
    assert spoken(span) == words
