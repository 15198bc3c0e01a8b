"""A batch of events as the few facts it brings: distinct, each with its smallest place in time (identity.md §8.1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, TypeVar

from tern_common.identifiers import NAMESPACES, Identifier
from tern_identity.domain.ledger import At
from tern_identity.domain.reading import Claim, Filing, Reading, door

_K = TypeVar("_K")


class Heard(NamedTuple):
    """One event: what it says, and when, by whom it was said."""

    reading: Reading
    time: datetime
    message_id: str
    source_id: str


class Said(NamedTuple):
    """A fact's first saying in the batch."""

    at: At
    source_id: str


@dataclass
class Facts:
    """What a batch says. Keys end in the UTC day. Identifiers are in order of appearance, which is that of birth."""

    identifiers: dict[Identifier, None] = field(default_factory=dict)
    pairs: dict[tuple[Identifier, Identifier, int], Said] = field(default_factory=dict)
    claims: dict[tuple[Claim, int], Said] = field(default_factory=dict)
    homes: dict[Filing, bool] = field(default_factory=dict)


def collapse(events: Iterable[Heard]) -> Facts:
    """The facts of a batch. `homes` tells doors (True) from homes that events can be filed under."""
    first: dict[Reading, Said] = {}
    for reading, time, message_id, source_id in events:
        known = first.get(reading)
        if known is None or (time, message_id) < known.at[:2]:
            first[reading] = Said(At(time, message_id, 0), source_id)
    facts = Facts()
    for reading, said in first.items():
        _add(facts, reading, said)
    for identifier in facts.identifiers:
        facts.homes.setdefault(door(identifier), NAMESPACES[identifier.namespace].kind != "unique")
    return facts


def _add(facts: Facts, reading: Reading, said: Said) -> None:
    facts.identifiers |= dict.fromkeys(reading.identifiers)
    facts.homes[reading.home] = False
    for place, (a, b) in enumerate(reading.pairs):
        _keep(facts.pairs, (a, b, reading.day), said._replace(at=said.at._replace(place=place)))
    for claim in reading.claims:
        _keep(facts.claims, (claim, reading.day), said)


def _keep(table: dict[_K, Said], key: _K, said: Said) -> None:
    known = table.get(key)
    if known is None or said.at < known.at:
        table[key] = said
