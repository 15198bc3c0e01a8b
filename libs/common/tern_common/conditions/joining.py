"""A small tree of tests, each of what stands at a path.

Written as `{path: score, at_most: 6}`, or joined by `all`, `any` and `not`. Its leaves are `Compare`, or what a service
adds to that: where a path may lead is the service's to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from inspect import getdoc
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import Discriminator, Field, GetJsonSchemaHandler, Tag, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from typing_extensions import TypeAliasType

from tern_common.conditions.comparing import TESTS, Comparison, Declared, Value, passes, require_possible

PATH = r"^[A-Za-z_$][\w$ -]*(\.[\w$ -]+){0,3}$"
MOST_PARTS = 20


class _Placed(Declared):
    """Behind the tests among the bases, so that a path is written before them."""

    path: Annotated[str, Field(pattern=PATH, max_length=128)]


class Compare(Comparison, _Placed):
    """Tests of one path; all that are given must hold. Texts compare without case, numbers by value."""

    @model_validator(mode="after")
    def _tests_something(self) -> Self:
        if not self.tests_a_value():
            raise ValueError(f"tests nothing: add one of {', '.join(TESTS)}, for example `at_least: 3`")
        return self

    @property
    def tested(self) -> str:
        """Its path."""
        return f"`{self.path}`"


Leaf = TypeVar("Leaf", bound=Compare)


class _Join(Declared, Generic[Leaf]):
    """Schemas and messages speak of a join, and not of what it joins."""

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:  # noqa: ARG003 - pydantic's
        return cls.__name__

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        shown = handler.resolve_ref_schema(handler(core))
        shown["description"] = getdoc(cls)
        return shown


class All(_Join[Leaf], Generic[Leaf]):
    """Every one of them holds."""

    all: Annotated[tuple[Condition[Leaf], ...], Field(min_length=1, max_length=MOST_PARTS)]

    @model_validator(mode="after")
    def _can_hold(self) -> Self:
        found = [part for part in self.all if isinstance(part, Compare)]
        for path in sorted({test.path for test in found}):
            require_possible([test for test in found if test.path == path])
        return self


class AnyOf(_Join[Leaf], Generic[Leaf]):
    """At least one of them holds."""

    any: Annotated[tuple[Condition[Leaf], ...], Field(min_length=1, max_length=MOST_PARTS)]


class Not(_Join[Leaf], Generic[Leaf]):
    """It does not hold."""

    not_: Annotated[Condition[Leaf], Field(alias="not")]


def _shape(written: Any) -> str:
    match written:
        case All() | {"all": _}:
            return "all"
        case AnyOf() | {"any": _}:
            return "any"
        case Not() | {"not": _}:
            return "not"
        case _:
            return "compare"


Condition = TypeAliasType(
    "Condition",
    Annotated[
        Annotated[All[Leaf], Tag("all")]
        | Annotated[AnyOf[Leaf], Tag("any")]
        | Annotated[Not[Leaf], Tag("not")]
        | Annotated[Leaf, Tag("compare")],
        Discriminator(_shape),
    ],
    type_params=(Leaf,),
)

for _model in (All, AnyOf, Not):
    _model.model_rebuild()


def holds(condition: Condition[Compare], lookup: Callable[[str], Value]) -> bool:
    """Whether it is true of what `lookup` finds at each path."""
    match condition:
        case All(all=parts):
            return all(holds(part, lookup) for part in parts)
        case AnyOf(any=parts):
            return any(holds(part, lookup) for part in parts)
        case Not(not_=part):
            return not holds(part, lookup)
        case _:
            return passes(condition, lookup(condition.path))


def leaves(condition: Condition[Leaf]) -> Iterator[Leaf]:
    """Every leaf of it."""
    match condition:
        case All(all=parts) | AnyOf(any=parts):
            for part in parts:
                yield from leaves(part)
        case Not(not_=part):
            yield from leaves(part)
        case _:
            yield condition


def paths(condition: Condition[Compare] | None) -> Iterator[str]:
    """Every path that it reads."""
    if condition is not None:
        yield from (test.path for test in leaves(condition))
