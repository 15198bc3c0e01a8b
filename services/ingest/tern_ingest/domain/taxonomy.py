"""The events of a shop as data: the shape of `taxonomy.yaml`, and how far an event's properties are as it says.

An event that differs is no bad event: what is found here is counted, and rejects nothing. Knows no source and no store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tern_common.commerce import amount, is_token, properties_of
from tern_common.events import Event
from tern_common.policy import Policy as VersionedPolicy

Type = Literal["amount", "count", "currency", "id", "list", "object", "products", "text", "token", "truth"]
Service = Literal["identity", "profile", "triggers"]
FaultKind = Literal["missing", "ill-formed"]

EXPECTED: Mapping[Type, str] = {
    "amount": "a number, or a text that is one",
    "count": "a whole number from 0, or a text that is one",
    "currency": "three letters, as ISO 4217",
    "id": "a text of 1 to 256 characters, or a number",
    "list": "a list",
    "object": "an object",
    "products": "a list of products, each as the shape `product`",
    "text": "a text",
    "token": "1 to 32 of a–z, 0–9, `_` and `-`",
    "truth": "true or false",
}

LONGEST_ID = 256
_CURRENCY = 3
_PRODUCTS_READ = 20
"""Of one list: a catalogue in an event costs no more than a cart."""
_ABSENT = (None, "")


class Shape(BaseModel):
    """Properties with their types. `a|b`: either."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    required: dict[str, Type] = {}
    optional: dict[str, Type] = {}


class Entry(Shape):
    """One event. `of`: a shape whose properties it has as well. `read_by`: whose own code reads it."""

    of: str | None = None
    read_by: tuple[Service, ...] = ()


class Taxonomy(VersionedPolicy):
    """All of `taxonomy.yaml`."""

    shapes: dict[str, Shape]
    events: dict[str, Entry] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_whole(self) -> Taxonomy:
        if "product" not in self.shapes:
            raise ValueError("shapes: lists of products are checked by a shape `product`, which is missing")
        for name, entry in self.events.items():
            if entry.of is not None and entry.of not in self.shapes:
                raise ValueError(f"{name}: there is no shape {entry.of}")
        return self

    def whole(self, name: str) -> Shape:
        """The event's properties with those of its shape. What either requires is required."""
        entry = self.events[name]
        shape = self.shapes[entry.of] if entry.of else Shape()
        return Shape(required=shape.required | entry.required, optional=shape.optional | entry.optional)


class Fault(NamedTuple):
    """A property that is not as expected. `about`: its name, as the taxonomy writes it."""

    about: str
    kind: FaultKind


class _Expected(NamedTuple):
    about: str
    names: tuple[str, ...]
    is_well_formed: Callable[[Any], bool]
    required: bool


class Vocabulary:
    """The taxonomy, ready to be asked about events."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._product = tuple(_expected(taxonomy.shapes["product"], _CHECKS))
        checks = {**_CHECKS, "products": self._are_products}
        self._types = {name: _types(taxonomy.whole(name)) for name in taxonomy.events}
        self._expected = {name: tuple(_expected(taxonomy.whole(name), checks)) for name in taxonomy.events}
        self._names = {name.casefold(): name for name in taxonomy.events}

    def known(self, said: str) -> str | None:
        """The name as the taxonomy writes it; None for one that it does not have."""
        return self._names.get(said.strip().casefold())

    def faults(self, event: Event, name: str) -> list[Fault]:
        """What of its properties is not as the taxonomy says of `name`, which is one of its own."""
        return list(_faults(properties_of(event), self._expected[name]))

    def expected(self, name: str, about: str) -> str | None:
        """What a property should be; None for one that the taxonomy no longer has."""
        found = self._types.get(name, {}).get(about)
        return None if found is None else EXPECTED[found]

    def _are_products(self, said: Any) -> bool:
        return isinstance(said, list) and all(
            isinstance(one, dict) and next(_faults(one, self._product), None) is None for one in said[:_PRODUCTS_READ]
        )


def _types(shape: Shape) -> Mapping[str, Type]:
    return shape.optional | shape.required


def _expected(shape: Shape, checks: Mapping[Type, Callable[[Any], bool]]) -> Iterator[_Expected]:
    for about, kind in _types(shape).items():
        yield _Expected(about, tuple(about.split("|")), checks[kind], about in shape.required)


def _faults(said: Mapping[str, Any], expected: tuple[_Expected, ...]) -> Iterator[Fault]:
    for about, names, is_well_formed, required in expected:
        value = next((found for name in names if (found := said.get(name)) not in _ABSENT), None)
        if value is None:
            if required:
                yield Fault(about, "missing")
        elif not is_well_formed(value):
            yield Fault(about, "ill-formed")


def _is_amount(said: Any) -> bool:
    return amount(said) is not None


def _is_count(said: Any) -> bool:
    number = amount(said)
    return number is not None and number >= 0 and number == number.to_integral_value()


def _is_currency(said: Any) -> bool:
    return isinstance(said, str) and len(said) == _CURRENCY and said.isascii() and said.isalpha()


def _is_id(said: Any) -> bool:
    if isinstance(said, str):
        return 0 < len(said.strip()) <= LONGEST_ID
    return isinstance(said, int | float) and not isinstance(said, bool)


def _is(kind: type) -> Callable[[Any], bool]:
    return lambda said: isinstance(said, kind)


_CHECKS: Mapping[Type, Callable[[Any], bool]] = {
    "amount": _is_amount,
    "count": _is_count,
    "currency": _is_currency,
    "id": _is_id,
    "list": _is(list),
    "object": _is(dict),
    "products": _is(list),
    "text": _is(str),
    "token": is_token,
    "truth": _is(bool),
}
