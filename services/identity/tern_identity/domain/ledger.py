"""The facts that identity rests on. They only appear, or take a minimum: order, batching and copies cannot matter.

Nodes are known by number (in order of birth) from here on; what they are called is the reading's and the store's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from tern_common.identifiers import NAMESPACES


class At(NamedTuple):
    """When a pair was said: the order of the fold."""

    time: datetime
    event_id: str
    place: int


class Node(NamedTuple):
    """An identifier in one era. `hash` names it for ever, whatever the order of births: it breaks ties."""

    node_id: int
    namespace: str
    hash: bytes

    @property
    def is_weak(self) -> bool:
        return NAMESPACES[self.namespace].kind == "weak"


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
    """All there is to know. Pairs by (a, b, day), claims by (weak, strong, rank, day); days count from 1970."""

    nodes: Mapping[int, Node]
    pairs: Mapping[tuple[int, int, int], At]
    claims: Mapping[tuple[int, int, int, int], datetime]
    homes: Mapping[str, Home]


def first_links(pairs: Mapping[tuple[int, int, int], At]) -> list[Link]:
    """The first saying of each pair; a pair said again can never succeed later than at first (identity.md §4)."""
    first: dict[tuple[int, int], At] = {}
    for (a, b, _), at in pairs.items():
        first[a, b] = min(first.get((a, b), at), at)
    return [Link(at, a, b) for (a, b), at in first.items()]


def in_fold_order(links: Sequence[Link], nodes: Mapping[int, Node]) -> list[Link]:
    """By event time, event id and place; copies of one message with other contents by what they name."""
    return sorted(links, key=lambda link: (link.at, nodes[link.a].hash, nodes[link.b].hash))
