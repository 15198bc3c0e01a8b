"""The only SQL of identity: events in, memberships out (identity.md §8)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tern_common.db import Pool, connection, transaction
from tern_common.errors import Transient
from tern_identity.domain.collapsing import Heard, collapse
from tern_identity.store.groups import GroupsMoved
from tern_identity.store.names import Keys, nodes_of
from tern_identity.store.news import Batch, Membership, home_ids, memberships, news_of, numbered
from tern_identity.store.settling import Numbers, settle

__all__ = ["Filed", "Keys", "Membership", "Numbers", "Store"]

ATTEMPTS = 5


class Filed(NamedTuple):
    """Where an event is filed, and whose that is."""

    home_id: str
    membership: Membership


class Store:
    """Files events. Several may work on one database at the same time."""

    def __init__(self, pool: Pool, keys: Keys, numbers: Numbers) -> None:
        self._pool = pool
        self._keys = keys
        self._numbers = numbers

    async def file(self, events: Sequence[Heard]) -> list[Filed]:
        """The home of each event and its membership, in order; all that follows from the events is committed, and
        what is to be told stands in the outbox. Events that are known cost a few look-ups and no lock."""
        try:
            return await self._file(events)
        except GroupsMoved:
            if len(events) < 2:
                raise Transient("a group moves faster than it can be locked") from None
        middle = len(events) // 2
        return [*await self.file(events[:middle]), *await self.file(events[middle:])]

    async def _file(self, events: Sequence[Heard]) -> list[Filed]:
        facts = collapse(events)
        async with connection(self._pool) as conn:
            nodes = await nodes_of(conn, list(facts.identifiers), self._keys)
            ids = home_ids(facts, nodes, self._keys.hasher)
            batch = numbered(facts, nodes, ids)
            known = await memberships(conn, batch.homes)
            news = await news_of(conn, batch, known)
        if news.nodes:
            known |= await self._settle(news)
        filed = {filing: Filed(home_id, known[home_id]) for filing, home_id in ids.items()}
        return [filed[event.reading.home] for event in events]

    async def _settle(self, news: Batch) -> dict[str, Membership]:
        """Raises `GroupsMoved` when others were faster every time."""
        also: frozenset[int] = frozenset()
        for _ in range(ATTEMPTS):
            try:
                async with transaction(self._pool) as conn:
                    return await settle(conn, news, also, self._numbers)
            except GroupsMoved as moved:
                also |= moved.nodes
        raise GroupsMoved
