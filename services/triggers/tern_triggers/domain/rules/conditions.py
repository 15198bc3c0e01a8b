"""A small condition tree: data, never an expression. Over an event's properties or over what a profile says.

Written as `{path: score, at_most: 6}`, or joined by `all`, `any` and `not`. A path that is missing satisfies no test
but `missing: true`: absence is not a value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from tern_triggers.domain.rules.wrong import Wrong

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
    one_of: Annotated[tuple[Scalar, ...], Field(min_length=1, max_length=100)] | None = None
    above: Decimal | None = None
    at_least: Decimal | None = None
    below: Decimal | None = None
    at_most: Decimal | None = None
    missing: bool | None = None

    @model_validator(mode="after")
    def _tests_something(self) -> Self:
        if all(getattr(self, name) is None for name in _TESTS):
            raise Wrong(f"tests nothing: add one of {', '.join(_TESTS)}, for example `at_least: 3`")
        if self.missing is True and any(getattr(self, name) is not None for name in _TESTS if name != "missing"):
            raise Wrong("what is missing passes no other test: split it, under `any`", "missing")
        _require_possible([self])
        return self


class All(Model):
    """Every one of them holds."""

    all: Annotated[tuple[Condition, ...], Field(min_length=1, max_length=20)]

    @model_validator(mode="after")
    def _can_hold(self) -> Self:
        tests = [part for part in self.all if isinstance(part, Compare)]
        for path in sorted({test.path for test in tests}):
            _require_possible([test for test in tests if test.path == path])
        return self


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


def _require_possible(tests: Sequence[Compare]) -> None:
    """Raises `Wrong` where no value at all passes these tests of one path."""
    if len({test.missing is True for test in tests}) > 1:
        raise Wrong(f"contradicts itself: `{tests[0].path}` cannot be missing and something at once")
    if not _leave_room(tests):
        raise Wrong(f"contradicts itself: no value of `{tests[0].path}` passes all of these tests")


def _leave_room(tests: Sequence[Compare]) -> bool:
    """A value that has to be one of a few passes as one of them does; any other, where the bounds leave room."""
    listed = [test.one_of for test in tests if test.one_of is not None]
    few = next(iter([[test.equals] for test in tests if test.equals is not None] or listed), None)
    if few is not None:
        return any(all(_passes(test, value_of(one)) for test in tests) for one in few)
    lows = [(low, low is test.above) for test in tests for low in (test.above, test.at_least) if low is not None]
    highs = [(high, high is test.below) for test in tests for high in (test.below, test.at_most) if high is not None]
    return all(low < high or (low == high and not (open_ or shut)) for low, open_ in lows for high, shut in highs)


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
