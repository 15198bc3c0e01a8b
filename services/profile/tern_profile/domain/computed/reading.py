"""What one event contributes to the computed traits, and to the traits that classes ask for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from tern_common.commerce import amount, properties_of
from tern_common.conditions import Scalar, passes
from tern_common.events import Event
from tern_profile.domain.computed.declaring import Computed
from tern_profile.domain.computed.tally import NOTHING, Keep, Said, Tally, keep_of, of_one
from tern_profile.domain.standing import Trait

LONGEST_TEXT = 256


class Tallied(NamedTuple):
    """A declaration, and the key its tally is kept under."""

    key: str
    declared: Computed
    keep: Keep


Watched = Mapping[str, tuple[Tallied, ...]]
"""Name of an event, without case → what is computed of it."""


def watched(declared: Mapping[str, Computed]) -> Watched:
    """By the names of events."""
    found: dict[str, tuple[Tallied, ...]] = {}
    for name, one in declared.items():
        tallied = Tallied(one.key(name), one, keep_of(one))
        for event in {event.strip().casefold() for event in one.event}:
            found[event] = (*found.get(event, ()), tallied)
    return found


def tallies(event: Event, of: Iterable[Tallied]) -> Iterator[tuple[str, Tally]]:
    """Key → what the event says."""
    properties = properties_of(event)
    for tallied in of:
        said = _contribution(tallied.declared, properties)
        if said is not None:
            value, worth = said
            yield tallied.key, of_one(tallied.keep, Said(event.event_time, event.message_id, value), worth)


def _contribution(
    declared: Computed, properties: Mapping[str, Any]
) -> tuple[str | int | float | bool | None, Decimal] | None:
    """The value, and what it adds to a sum. None: the event does not count, or does not say what is asked."""
    if not all(passes(test, _at_path(properties, path)) for path, test in declared.where.items()):
        return None
    if declared.property is None:
        return None, NOTHING
    value = _at_path(properties, declared.property)
    if declared.of == "sum":
        worth = amount(value)
        return None if worth is None else (str(worth), worth)
    kept = _kept(value)
    return None if kept is None else (kept, NOTHING)


def trait_tallies(traits: Mapping[str, Trait], names: Iterable[str]) -> Iterator[tuple[str, Tally]]:
    """`traits.<name>` → its value, for the traits that classes ask for. What is removed has none."""
    for name in names:
        trait = traits.get(name)
        if trait is not None:
            value = _kept(msgspec.json.decode(trait.value))
            yield f"traits.{name}", of_one("newest", Said(trait.at, trait.message_id, value))


def _at_path(said: Mapping[str, Any], path: str) -> Scalar | None:
    """The scalar that a dotted path leads to; None where there is none."""
    found: object = said
    for step in path.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found if isinstance(found, str | int | float | bool) else None


def _kept(value: object) -> str | int | float | bool | None:
    if isinstance(value, str):
        return value if len(value) <= LONGEST_TEXT else None
    return value if isinstance(value, int | float | bool) else None
