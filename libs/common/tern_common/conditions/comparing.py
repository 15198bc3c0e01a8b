"""Tests of one value. A value that is missing satisfies no test but `missing: true`: absence is not a value."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Scalar = str | int | float | bool
Value = str | int | float | bool | Decimal | None
"""What is tested: a text, a number, a truth, or nothing."""

MOST_CHOICES = 100
TESTS = ("equals", "not_equals", "one_of", "above", "at_least", "below", "at_most", "missing")


class Declared(BaseModel):
    """Unknown fields are refused: a misspelt one would silently not count. Written back, it reads as it was written."""

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)


class Comparison(Declared):
    """Tests of one value; all that are given must hold. Texts compare without case, numbers by value.

    Raises `ValueError` where no value passes them.
    """

    equals: Scalar | None = None
    not_equals: Scalar | None = None
    one_of: Annotated[tuple[Scalar, ...], Field(min_length=1, max_length=MOST_CHOICES)] | None = None
    above: Decimal | None = None
    at_least: Decimal | None = None
    below: Decimal | None = None
    at_most: Decimal | None = None
    missing: bool | None = None

    @model_validator(mode="after")
    def _can_pass(self) -> Self:
        if self.missing is True and any(getattr(self, name) is not None for name in TESTS if name != "missing"):
            raise ValueError("what is missing passes no other test: split it, under `any`")
        require_possible([self])
        return self

    @property
    def tested(self) -> str:
        """What is tested, as messages name it."""
        return "the property"

    def tests_a_value(self) -> bool:
        """Whether anything is tested at all."""
        return any(getattr(self, name) is not None for name in TESTS)


def passes(test: Comparison, value: Value) -> bool:
    """Whether every test holds of the value; None is a value that is missing."""
    if value is None:
        return test.missing is True
    return test.missing is not True and _is_said(test, value) and _is_within(test, value)


def require_possible(tests: Sequence[Comparison]) -> None:
    """Raises `ValueError` where no value at all passes these tests of one thing."""
    if len({test.missing is True for test in tests}) > 1:
        raise ValueError(f"contradicts itself: {tests[0].tested} cannot be missing and something at once")
    if not _leave_room(tests):
        raise ValueError(f"contradicts itself: no value of {tests[0].tested} passes all of these tests")


def _leave_room(tests: Sequence[Comparison]) -> bool:
    """A value that has to be one of a few passes as one of them does; any other, where the bounds leave room."""
    listed = [test.one_of for test in tests if test.one_of is not None]
    few = next(iter([(test.equals,) for test in tests if test.equals is not None] or listed), None)
    if few is not None:
        return any(all(passes(test, one) for test in tests) for one in few)
    lows = [(low, low is test.above) for test in tests for low in (test.above, test.at_least) if low is not None]
    highs = [(high, high is test.below) for test in tests for high in (test.below, test.at_most) if high is not None]
    return all(low < high or (low == high and not (open_ or shut)) for low, open_ in lows for high, shut in highs)


def value_of(raw: object) -> str | bool | Decimal | None:
    """A JSON scalar, its number exact; nothing for anything else."""
    if raw is None or isinstance(raw, str | bool):
        return raw
    return _number(raw) if isinstance(raw, int | float | Decimal) else None


def _is_said(test: Comparison, value: Value) -> bool:
    if test.equals is not None and not _same(test.equals, value):
        return False
    if test.not_equals is not None and _same(test.not_equals, value):
        return False
    return test.one_of is None or any(_same(one, value) for one in test.one_of)


def _is_within(test: Comparison, value: Value) -> bool:
    lowest, highest = (test.above, test.at_least), (test.below, test.at_most)
    if lowest == highest == (None, None):
        return True
    number = _number(value)
    return number is not None and _is_over(number, *lowest) and _is_under(number, *highest)


def _is_over(number: Decimal, above: Decimal | None, at_least: Decimal | None) -> bool:
    return (above is None or number > above) and (at_least is None or number >= at_least)


def _is_under(number: Decimal, below: Decimal | None, at_most: Decimal | None) -> bool:
    return (below is None or number < below) and (at_most is None or number <= at_most)


def _same(written: Scalar, value: Value) -> bool:
    """`3`, `3.0` and `"3"` are one number, texts have no case; a truth is nothing but itself."""
    if isinstance(written, bool) or isinstance(value, bool):
        return written is value
    if str(written).strip().casefold() == str(value).strip().casefold():
        return True
    number = _number(written)
    return number is not None and number == _number(value)


def _number(value: object) -> Decimal | None:
    """All its digits, however many: what is tested is never rounded. None for what is no number."""
    if isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
