"""A batch of events as the few facts it brings: distinct, each with its smallest place in time (identity.md §8.1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from msgspec import Struct

from tern_common.identifiers import Identifier
from tern_identity.domain.ledger import At
from tern_identity.domain.reading import Claim, Filing, Reading

_K = TypeVar("_K")


class Heard(Struct, frozen=True, gc=False):
    """One event: what it says, and when, by whom it was said."""

    reading: Reading
    time: datetime
    message_id: str
    source_id: str


@dataclass
class Facts:
    """What a batch says, each with its first saying. Keys end in the UTC day and the source; those of claims also hold
    it. Identifiers are in order of appearance, which is that of birth; `homes` tells doors (True) from homes that
    events can be filed under."""

    identifiers: dict[tuple[Identifier, int], None] = field(default_factory=dict)
    pairs: dict[tuple[Identifier, Identifier, int, str], At] = field(default_factory=dict)
    claims: dict[tuple[Claim, int, str], At] = field(default_factory=dict)
    homes: dict[Filing, bool] = field(default_factory=dict)


def collapse(events: Iterable[Heard]) -> Facts:
    """The facts of a batch."""
    first: dict[tuple[Reading, str], Heard] = {}
    for heard in events:
        key = (heard.reading, heard.source_id)
        known = first.setdefault(key, heard)
        if known is not heard and heard.time <= known.time and _is_before(heard, known):
            first[key] = heard
    facts = Facts()
    for heard in first.values():
        _add(facts, heard)
    return facts


def _is_before(one: Heard, other: Heard) -> bool:
    return (one.time, one.message_id) < (other.time, other.message_id)


def _add(facts: Facts, heard: Heard) -> None:
    reading, source_id = heard.reading, heard.source_id
    for identifier in reading.identifiers:
        facts.identifiers[identifier, reading.day] = None
    for door, is_only_door in reading.doors:
        facts.homes.setdefault(door, is_only_door)
    facts.homes[reading.home] = False
    for place, (a, b) in enumerate(reading.pairs):
        _keep(facts.pairs, (a, b, reading.day, source_id), At(heard.time, heard.message_id, place))
    for claim in reading.claims:
        _keep(facts.claims, (claim, reading.day, source_id), At(heard.time, heard.message_id, 0))


def _keep(table: dict[_K, At], key: _K, at: At) -> None:
    known = table.get(key)
    if known is None or at < known:
        table[key] = at
