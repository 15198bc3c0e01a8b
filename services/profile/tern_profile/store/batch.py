"""A poll as one transaction: memberships, events, fragments, consent, and the records that follow.

Derives again, on redelivery, what it derived before: nothing waits in an outbox (architecture §4).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tern_common.db import Connection, Pool, connection, transaction
from tern_common.errors import Transient
from tern_profile.domain.statements import Filed, Membership, Moved, Plan, subjects_of
from tern_profile.store import consents, erasing, events, fragments, homes, profiles, records
from tern_profile.store.erasing import Erased
from tern_profile.store.events import Inserted
from tern_profile.store.fragments import Brought
from tern_profile.store.homes import Home
from tern_profile.store.profiles import Publication
from tern_profile.store.records import Basis, NotCovered

ATTEMPTS = 6


@dataclass(frozen=True)
class _Placed:
    """Memberships after the batch. `news`: those that changed. `owner`: whose each home is."""

    locked: dict[bytes, Home]
    news: dict[bytes, Membership]
    owner: dict[bytes, str | None]

    def owners(self, homes: Iterable[bytes]) -> set[str]:
        """Whose these homes are, as far as they are anybody's."""
        owners = (self.owner[home] for home in homes)
        return {owner for owner in owners if owner is not None}

    def owed(self) -> set[str]:
        """Of the owners those whose newest record nobody is known to have got acknowledged."""
        return self.owners(home for home, one in self.locked.items() if one.owed)

    def is_new(self, home: bytes) -> bool:
        return home in self.news or self.locked[home].fresh

    def is_told(self, home: bytes, said: Membership) -> bool:
        """Whether the statement was news when the batch began."""
        return self.locked[home].fresh or said.replaces(self.locked[home].membership)

    def left(self) -> set[str]:
        """Customers that homes left."""
        left = (self.locked[home].membership.customer_id for home in self.news)
        return {customer for customer in left if customer is not None}

    def departed(self) -> dict[str, str]:
        """Customers that homes left → where one of them went."""
        steps = ((self.locked[home].membership.customer_id, said.customer_id) for home, said in self.news.items())
        return {left: into for left, into in steps if left is not None and into is not None}

    def erased(self) -> Erased:
        """Of the batch's homes those of which nothing is kept."""
        gone = {home for home, owner in self.owner.items() if owner is None}
        return Erased(gone, gone & self.news.keys())


async def apply(pool: Pool, plan: Plan, basis: Basis) -> list[Publication]:
    """Applies the batch and returns what must be published before its offsets are committed.

    Each customer at most once: its record if that changed, or as it stands if nobody is known to have got it
    acknowledged, or if a statement had been seen before (the record on the topic may then be an older one). Raises
    `Transient`; and `Unusable` when a value cannot be stored.
    """
    wider: set[str] = set()
    for _ in range(ATTEMPTS):
        try:
            async with transaction(pool) as conn:
                return await _apply(conn, plan, basis, wider)
        except NotCovered as missing:
            wider |= missing.customers
    raise Transient("memberships keep moving")


async def _apply(conn: Connection, plan: Plan, basis: Basis, wider: set[str]) -> list[Publication]:
    placed = await _place(conn, plan)
    rerouted = await homes.move(conn, plan.edges)
    erased = placed.erased()
    kept = erased.spared(plan.filed)
    inserted = await events.insert(conn, kept)
    suppressed = await erasing.prepare(conn, erased, plan.filed)
    brought = await fragments.bring(conn, kept, inserted, placed.locked, suppressed, basis)
    customers = _touched(placed, brought) | rerouted | await consents.owners(conn, brought.spoken) | wider
    made, owed = await records.make(conn, customers, brought.spoken, placed.departed(), basis)
    seen = await _seen(conn, plan, placed, inserted)
    again = await profiles.standing(conn, (owed | seen | placed.owed()) - made.keys())
    return [*(Publication(customer, one.version, one.record) for customer, one in made.items()), *again]


async def settle(pool: Pool, sent: Sequence[Publication]) -> list[Publication]:
    """After `sent` was acknowledged: what must be sent as well, since another instance has drawn a higher version.

    It may have been published first, and a compacted topic keeps what came last.
    """
    async with connection(pool) as conn:
        return await profiles.settle(conn, sent)


async def _place(conn: Connection, plan: Plan) -> _Placed:
    """Membership comes before the duplicate check: a copy may carry a newer version."""
    locked = await homes.lock(conn, plan.memberships)
    news = {
        home: said
        for home, said in plan.memberships.items()
        if not locked[home].fresh and said.replaces(locked[home].membership)
    }
    await homes.place(conn, news)
    said = {home: one.membership for home, one in locked.items()} | news
    return _Placed(locked, news, {home: membership.customer_id for home, membership in said.items()})


def _touched(placed: _Placed, brought: Brought) -> set[str]:
    """Old and new customers of homes that moved or are new, and customers of homes that say something else."""
    moved = {home for home in placed.locked if placed.is_new(home)}
    return placed.left() | placed.owners(moved | brought.public)


async def _seen(conn: Connection, plan: Plan, placed: _Placed, inserted: Inserted) -> set[str]:
    """Customers that statements seen before may have changed when they were first applied."""
    copies = _copies(plan, inserted)
    subjects = {bytes.fromhex(subject) for said in copies for subject in subjects_of(said.fragment)}
    found = placed.owners(said.home for said in copies) | await consents.owners(conn, subjects)
    return found.union(*_seen_moves(plan.moved, placed))


def _copies(plan: Plan, inserted: Inserted) -> list[Filed]:
    """Events of the batch that were known."""
    if len(inserted.fresh) == len(plan.filed):
        return []
    return [said for key, said in plan.filed.items() if key not in inserted.fresh]


def _seen_moves(moved: Iterable[Moved], placed: _Placed) -> Iterable[set[str]]:
    """Who tells of any home what was not known was not applied before, also where others are as an event had said."""
    for said in moved:
        if said.homes and not any(placed.is_told(home, membership) for home, membership in said.homes):
            yield placed.owners(home for home, _ in said.homes).union(said.sources)
