"""What an operator's act has to work with inside its transaction: what was wished, what is locked, whom it speaks of.

Locks are taken in the order of `settling`: an act locks the groups it needs and begins again when they were not all.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from tern_common.db import Connection
from tern_common.errors import Refused
from tern_common.identifiers import Identifier
from tern_common.identifiers import Kind as NamespaceKind
from tern_identity.domain.notices import Move
from tern_identity.domain.rulings import Ruling
from tern_identity.store import groups
from tern_identity.store.controls import Kind
from tern_identity.store.errors import GroupsMoved
from tern_identity.store.names import Keys, known_names, names_of
from tern_identity.store.settling import Numbers, Work

_SUBJECTS = """
SELECT n.node_id, n.ns, n.kind, n.original, n.from_day, n.blocked, coalesce(n.core, h.core)
FROM node n LEFT JOIN node h ON h.node_id = n.holder
WHERE n.node_id = ANY($1::bigint[])
"""


class Wish(NamedTuple):
    """What an operator asks for. `day` (days since 1970): on which the identifiers are meant, or an era begins.
    `merge_id` names a pair instead of identifiers."""

    kind: Kind
    group: tuple[Identifier, ...] = ()
    rest: tuple[Identifier, ...] = ()
    day: int = 0
    merge_id: UUID | None = None


@dataclass(frozen=True)
class Meaning:
    """What an act means on the graph as it stands: whom it names, its words (of statement 0 until it has a number), and
    what is to be settled again. `gone`: homes that were erased."""

    nodes: tuple[int, ...] = ()
    rest: tuple[int, ...] = ()
    day: int | None = None
    words: tuple[Ruling, ...] = ()
    again: frozenset[int] = frozenset()
    again_weak: frozenset[int] = frozenset()
    gone: tuple[Move, ...] = ()


class Subject(NamedTuple):
    """A node that an act speaks of. `core`: its own; of a browser, its holder's. `original`: sealed, none if erased."""

    node_id: int
    namespace: str
    kind: NamespaceKind
    original: bytes | None
    from_day: int | None
    blocked: bool
    core: int | None

    @property
    def is_weak(self) -> bool:
        return self.kind == "weak"


@dataclass(frozen=True)
class Acting:
    """One attempt. `work`: what earlier attempts found must be locked as well."""

    conn: Connection
    work: Work
    numbers: Numbers
    keys: Keys

    async def lock(self, strong: Collection[int]) -> groups.Locked:
        """Locks the groups of these, in order with all that is known to be needed. Raises `GroupsMoved`."""
        return await groups.lock(self.conn, sorted({*strong, *self.work.lock, *self.work.again}))

    async def seen(self, identifiers: Sequence[Identifier], day: int) -> list[Subject]:
        """The nodes that identifiers have on a day. Raises `Refused` for one that no event has named."""
        names = await known_names(self.conn, identifiers, self.keys)
        if any(one not in names for one in identifiers):
            raise Refused(404, "unknown-identifier", "No event has named this identifier.")
        return await self.subjects([names.number(one, day) for one in identifiers])

    async def named(self, identifiers: Sequence[Identifier], day: int) -> list[Subject]:
        """The same; one that was never seen is born, so that a word can wait for it."""
        if any(one.namespace not in self.numbers.rules.known for one in identifiers):
            return await self.seen(identifiers, day)
        names = await names_of(self.conn, identifiers, self.keys, self.numbers.rules)
        return await self.subjects([names.number(one, day) for one in identifiers])

    async def subjects(self, nodes: Sequence[int]) -> list[Subject]:
        """In the order given."""
        return await subjects_of(self.conn, nodes)


async def subjects_of(conn: Connection, nodes: Sequence[int]) -> list[Subject]:
    """What is known of these nodes, in the order given."""
    found = {row[0]: Subject(*row) for row in await conn.fetch(_SUBJECTS, list(nodes))}
    return [found[node_id] for node_id in nodes]


def require_locked(locked: groups.Locked, nodes: Collection[int]) -> None:
    """Raises `GroupsMoved` for nodes whose groups must be locked before anything else is."""
    if missing := set(nodes) - locked.strong.keys():
        raise GroupsMoved(missing)


def again(subjects: Sequence[Subject]) -> tuple[frozenset[int], frozenset[int]]:
    """The strong ones and the weak ones of those that are to be looked at again."""
    weak = frozenset(one.node_id for one in subjects if one.is_weak)
    return frozenset(one.node_id for one in subjects) - weak, weak
