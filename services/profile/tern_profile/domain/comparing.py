"""Tests of one value: what operators write to say which events count, and when a class holds. Data, never expressions.

The words are those of the conditions in rules: `equals`, `one_of`, `at_least`, … A value that is missing satisfies no
test but `missing: true`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tern_common.commerce import amount

Scalar = str | int | float | bool
Value = str | int | float | bool | Decimal | None

MOST_CHOICES = 100
TESTS = ("equals", "not_equals", "one_of", "above", "at_least", "below", "at_most", "missing")


class Declared(BaseModel):
    """Unknown fields are refused: a misspelt one would silently not count."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Comparison(Declared):
    """Tests; all that are given must hold. Texts compare without case, numbers by value."""

    equals: Scalar | None = None
    not_equals: Scalar | None = None
    one_of: Annotated[tuple[Scalar, ...], Field(max_length=MOST_CHOICES)] | None = None
    above: Decimal | None = None
    at_least: Decimal | None = None
    below: Decimal | None = None
    at_most: Decimal | None = None
    missing: bool | None = None

    def tests_a_value(self) -> bool:
        """Whether anything is tested at all."""
        return any(getattr(self, name) is not None for name in TESTS)


class Where(Comparison):
    """Tests of a property of an event."""

    @model_validator(mode="after")
    def _tests_something(self) -> Self:
        if not self.tests_a_value():
            raise ValueError(f"tests nothing: write a value, or one of {', '.join(TESTS)}, such as {{at_least: 3}}")
        return self


def passes(test: Comparison, value: Value) -> bool:
    """Whether every test holds of the value; None is a value that is missing."""
    if value is None:
        return test.missing is True
    return test.missing is not True and _is_said(test, value) and _is_within(test, value)


def _is_said(test: Comparison, value: Value) -> bool:
    if test.equals is not None and not same(test.equals, value):
        return False
    if test.not_equals is not None and same(test.not_equals, value):
        return False
    return test.one_of is None or any(same(one, value) for one in test.one_of)


def _is_within(test: Comparison, value: Value) -> bool:
    lowest, highest = (test.above, test.at_least), (test.below, test.at_most)
    if lowest == highest == (None, None):
        return True
    number = _number(value)
    if number is None:
        return False
    return _is_over(number, *lowest) and _is_under(number, *highest)


def _is_over(number: Decimal, above: Decimal | None, at_least: Decimal | None) -> bool:
    return (above is None or number > above) and (at_least is None or number >= at_least)


def _is_under(number: Decimal, below: Decimal | None, at_most: Decimal | None) -> bool:
    return (below is None or number < below) and (at_most is None or number <= at_most)


def same(written: Scalar, value: Value) -> bool:
    """`3`, `3.0` and `"3"` are one number, texts have no case; a truth is nothing but itself."""
    if isinstance(written, bool) or isinstance(value, bool):
        return written is value
    if str(written).strip().casefold() == str(value).strip().casefold():
        return True
    number = _number(written)
    return number is not None and number == _number(value)


def _number(value: Value) -> Decimal | None:
    return value if isinstance(value, Decimal) else amount(value)


def at_path(said: Mapping[str, Any], path: str) -> Value:
    """The scalar that a dotted path leads to; None where there is none."""
    found: object = said
    for step in path.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found if isinstance(found, str | int | float | bool) else None
