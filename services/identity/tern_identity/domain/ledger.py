"""The facts that identity rests on. They only appear, or take a minimum: order, batching and copies cannot matter.

Nodes are known by number (in order of birth) from here on; what they are called is the reading's and the store's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from tern_common.identifiers import Kind
from tern_identity.domain.rulings import SILENCE, Rulings

PairKey = tuple[int, int, int, str]
ClaimKey = tuple[int, int, int, int, str]


class At(NamedTuple):
    """When a pair was said: the order of the fold."""

    time: datetime
    event_id: str
    place: int


class Node(NamedTuple):
    """An identifier in one era. `hash` names it for ever, whatever the order of births: it breaks ties."""

    node_id: int
    namespace: str
    kind: Kind
    hash: bytes

    @property
    def is_weak(self) -> bool:
        return self.kind == "weak"


class Link(NamedTuple):
    """Two strong nodes are one person, said first at `at`. `a` is the stronger one."""

    at: At
    a: int
    b: int


class Home(NamedTuple):
    """A place where events are filed: its nodes in priority order and its day. A door holds no events."""

    nodes: tuple[int, ...]
    day: int
    is_door: bool = False


@dataclass(frozen=True)
class Ledger:
    """All there is to know. Pairs by (a, b, day, source), claims by (weak, strong, rank, day, source); days count from
    1970. Rank 1 is a login, 2 a contact on a trusted event."""

    nodes: Mapping[int, Node]
    pairs: Mapping[PairKey, At]
    claims: Collection[ClaimKey]
    homes: Mapping[str, Home] = field(default_factory=dict)
    rulings: Rulings = SILENCE


def first_links(pairs: Mapping[PairKey, At], distrusted: Collection[str] = ()) -> list[Link]:
    """The first saying of each pair; a pair said again can never succeed later than at first (identity.md §4)."""
    first: dict[tuple[int, int], At] = {}
    for (a, b, _, source), at in pairs.items():
        if source not in distrusted:
            first[a, b] = min(first.get((a, b), at), at)
    return [Link(at, a, b) for (a, b), at in first.items()]


def counted_claims(claims: Iterable[ClaimKey], distrusted: Collection[str]) -> list[ClaimKey]:
    """Claims that count: a login from any source, a contact from a source that is trusted."""
    return [claim for claim in claims if claim[2] == 1 or claim[4] not in distrusted]


def in_fold_order(links: Sequence[Link], nodes: Mapping[int, Node]) -> list[Link]:
    """By event time, event id and place; what has the same ones (copies of one message with other contents, words of
    one statement) by what it names, whichever end was born first."""
    return sorted(links, key=lambda link: (link.at, *sorted((nodes[link.a].hash, nodes[link.b].hash))))
