"""The only SQL of identity: events in, memberships out (identity.md §8)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

from tern_common.db import Connection, Pool, connection, transaction
from tern_common.errors import Transient
from tern_identity.domain.collapsing import Heard, collapse
from tern_identity.domain.rules import Rules
from tern_identity.store.errors import GroupsMoved, Misread
from tern_identity.store.names import Keys, names_of
from tern_identity.store.news import Membership, bringers, home_ids, memberships, news_of, numbered
from tern_identity.store.ruleset import live_rules
from tern_identity.store.settling import Numbers, Settled, Work, settle
from tern_identity.store.tally import UNTOLD, Tally

__all__ = ["Filed", "Keys", "Membership", "Misread", "Numbers", "Settled", "Step", "Store", "Work"]

ATTEMPTS = 5
NO_WORK = Work()

T = TypeVar("T")
Step = Callable[[Connection, Work, Numbers], Awaitable[T]]
"""What is done in one transaction."""


class Filed(NamedTuple):
    """Where an event is filed, and whose that is."""

    home_id: str
    membership: Membership


class Store:
    """Files events, and settles what else moves the graph. Several may work on one database at the same time."""

    def __init__(self, pool: Pool, keys: Keys, numbers: Numbers, tally: Tally = UNTOLD) -> None:
        self._pool = pool
        self._tally = tally
        self._keys = keys
        self._shipped = numbers.rules
        self._numbers = numbers

    @property
    def rules(self) -> Rules:
        """The rules by which events are to be read."""
        return self._numbers.rules

    async def refresh(self) -> Rules:
        """Takes up the rules that are live; those of `numbers` become so in a database that has none."""
        rules = await live_rules(self._pool, self._shipped, self._keys.clock.now())
        self._numbers = self._numbers._replace(rules=rules)
        return rules

    async def file(self, events: Sequence[Heard]) -> list[Filed]:
        """The home of each event and its membership, in order; all that follows from the events is committed, and
        what is to be told stands in the outbox. Events that are known cost a few look-ups and no lock.

        Raises `Misread`: read the events again by `rules`, without what was erased.
        """
        try:
            return await self._file(events)
        except Misread:
            await self.refresh()
            raise
        except GroupsMoved:
            if len(events) < 2:
                raise Transient("a group moves faster than it can be locked") from None
        middle = len(events) // 2
        return [*await self.file(events[:middle]), *await self.file(events[middle:])]

    async def _file(self, events: Sequence[Heard]) -> list[Filed]:
        facts = collapse(events)
        identifiers = list(dict.fromkeys(identifier for identifier, _ in facts.identifiers))
        async with connection(self._pool) as conn:
            names = await names_of(conn, identifiers, self._keys, self.rules)
            ids = home_ids(facts, names, self._keys.hasher)
            batch = numbered(facts, names, ids)
            known = await memberships(conn, batch, self.rules)
            news = await news_of(conn, batch, known)
        if news.stamps:
            known |= (await self.settle(Work(news))).memberships
        self._tally.filed(len(events), bringers(events, news, ids) if news.stamps else 0)
        filed = {filing: Filed(home_id, known[home_id]) for filing, home_id in ids.items()}
        by_reading = {reading: filed[reading.home] for reading in {event.reading for event in events}}
        return [by_reading[event.reading] for event in events]

    async def settle(self, work: Work) -> Settled:
        """One locked transaction. Raises `GroupsMoved` when others were faster every time, and `Misread`."""
        settled = await self.perform(settle, work)
        self._tally.settled(settled.refolds, settled.moved)
        return settled

    async def perform(self, step: Step[T], work: Work = NO_WORK) -> T:
        """The same for any step that settles. Each time it is begun again, more of `work` is to be locked."""
        for _ in range(ATTEMPTS):
            try:
                async with transaction(self._pool) as conn:
                    return await step(conn, work, self._numbers)
            except GroupsMoved as moved:
                work = replace(work, lock=work.lock | moved.nodes, again=work.again | moved.again)
        raise GroupsMoved
