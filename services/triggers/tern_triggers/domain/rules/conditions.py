"""A small condition tree: data, never an expression. Over an event's properties or over what a profile says.

Written as `{path: score, at_most: 6}`, or joined by `all`, `any` and `not`. A path that is missing satisfies no test
but `missing: true`: absence is not a value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

Scalar = str | int | float | bool
Value = str | bool | Decimal | None
"""What a path leads to: a text, a truth, an exact number, or nothing."""

Lookup = Callable[[str], Value]

PATH = r"^[A-Za-z_$][\w$ -]*(\.[\w$ -]+){0,3}$"
_TESTS = ("equals", "not_equals", "one_of", "above", "at_least", "below", "at_most", "missing")


class Model(BaseModel):
    """Unknown fields are refused: a misspelt one would silently not count. Written back, it reads as it was written."""

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)


class Compare(Model):
    """Tests of one path; all that are given must hold. Texts compare without case, numbers by value."""

    path: Annotated[str, Field(pattern=PATH, max_length=128)]
    equals: Scalar | None = None
    not_equals: Scalar | None = None
    one_of: Annotated[tuple[Scalar, ...], Field(max_length=100)] | None = None
    above: Decimal | None = None
    at_least: Decimal | None = None
    below: Decimal | None = None
    at_most: Decimal | None = None
    missing: bool | None = None

    @model_validator(mode="after")
    def _tests_something(self) -> Self:
        if all(getattr(self, name) is None for name in _TESTS):
            raise ValueError(f"tests nothing: add one of {', '.join(_TESTS)}, for example `at_least: 3`")
        return self


class All(Model):
    """Every one of them holds."""

    all: Annotated[tuple[Condition, ...], Field(min_length=1, max_length=20)]


class AnyOf(Model):
    """At least one of them holds."""

    any: Annotated[tuple[Condition, ...], Field(min_length=1, max_length=20)]


class Not(Model):
    """It does not hold."""

    not_: Annotated[Condition, Field(alias="not")]


def _shape(written: Any) -> str:
    if isinstance(written, BaseModel):
        return {All: "all", AnyOf: "any", Not: "not"}.get(type(written), "compare")
    found = [name for name in ("all", "any", "not") if isinstance(written, dict) and name in written]
    return found[0] if found else "compare"


Condition = Annotated[
    Annotated[All, Tag("all")]
    | Annotated[AnyOf, Tag("any")]
    | Annotated[Not, Tag("not")]
    | Annotated[Compare, Tag("compare")],
    Discriminator(_shape),
]

for _model in (All, AnyOf, Not):
    _model.model_rebuild()


def holds(condition: Condition, lookup: Lookup) -> bool:
    """Whether it is true of what `lookup` finds."""
    match condition:
        case All(all=parts):
            return all(holds(part, lookup) for part in parts)
        case AnyOf(any=parts):
            return any(holds(part, lookup) for part in parts)
        case Not(not_=part):
            return not holds(part, lookup)
        case Compare():
            return _passes(condition, lookup(condition.path))


def paths(condition: Condition | None) -> Iterator[str]:
    """Every path that it reads."""
    match condition:
        case All(all=parts) | AnyOf(any=parts):
            for part in parts:
                yield from paths(part)
        case Not(not_=part):
            yield from paths(part)
        case Compare(path=path):
            yield path
        case None:
            return


def value_of(raw: object) -> Value:
    """A JSON scalar as a value; nothing for anything else."""
    if raw is None or isinstance(raw, str | bool):
        return raw
    return _number(raw) if isinstance(raw, int | float | Decimal) else None


def _passes(test: Compare, value: Value) -> bool:
    if value is None:
        return test.missing is True
    return test.missing is not True and _equal(test, value) and _within(test, value)


def _equal(test: Compare, value: Value) -> bool:
    if test.equals is not None and not same(test.equals, value):
        return False
    if test.not_equals is not None and same(test.not_equals, value):
        return False
    return test.one_of is None or any(same(one, value) for one in test.one_of)


def _within(test: Compare, value: Value) -> bool:
    bounds = (test.above, test.at_least, test.below, test.at_most)
    if all(bound is None for bound in bounds):
        return True
    number = _number(value)
    if number is None:
        return False
    above, at_least, below, at_most = bounds
    return (
        (above is None or number > above)
        and (at_least is None or number >= at_least)
        and (below is None or number < below)
        and (at_most is None or number <= at_most)
    )


def same(written: Scalar, value: Value) -> bool:
    """Whether what a rule says is what was found: `3`, `3.0` and `"3"` are one number, texts have no case."""
    if isinstance(written, bool) or isinstance(value, bool):
        return written is value
    if str(written).strip().casefold() == str(value).strip().casefold():
        return True
    number = _number(written)
    return number is not None and number == _number(value)


def _number(raw: object) -> Decimal | None:
    if raw is None or isinstance(raw, bool):
        return None
    try:
        number = Decimal(str(raw).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
