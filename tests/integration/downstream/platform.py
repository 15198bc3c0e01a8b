"""The real stores of identity, profile and triggers, and what is in those of the last two."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from integration.identity.graph_in_database import Graphs
from integration.profile.world import Worker as ProfileWorker
from integration.profile.world import speaking, subject_of
from integration.triggers.shop import NOON, Shop, new_broker
from tern_common.bus import Record
from tern_common.db import Pool, connection, open_pool
from tern_common.events import PublicProfile
from tern_profile.domain import fragment
from tern_profile.domain.fragment import Activity
from tern_profile.domain.standing import Standing
from tern_profile.domain.whole import Whole
from tern_profile.store import lookup
from tern_profile.store.records import Basis
from tern_profile.views import ProfileView, view
from tern_triggers.store import log
from unit.profile.saying import POLICY

BASIS = Basis(subject_of, POLICY)

_EVENTS = "SELECT home_id, message_id, event_time FROM event"
_CONSENT = "SELECT subject, purpose, channel, home_id, granted_at, trusted_at, withdrawn_at FROM consent"
_HOMES = "SELECT home_id, customer_id::text, version, shared, first_at, last_at, activity, standing FROM home"
_FACTS = "SELECT home_id, kind, key, message_id, at, passive, body FROM fact"
_MEMBERSHIPS = "SELECT home_id, customer_id, version, shared FROM membership"
_FORMER = "SELECT customer_id, into_id, version FROM former"
_CARTS = "SELECT cart_id, newest_at, newest_message, newest_home, order_at, order_message FROM cart_key"

Rows = frozenset[tuple[Any, ...]]


class Kept(NamedTuple):
    """A home in profile's store."""

    customer_id: str | None
    version: int
    shared: bool
    first_at: datetime | None
    last_at: datetime | None
    activity: Activity
    standing: Standing


class ProfileState(NamedTuple):
    """All of it that is a function of what was said. Links of contacts that a home said once may outlive them."""

    homes: dict[str, Kept]
    events: Rows
    consent: Rows
    published: dict[str, PublicProfile]
    answers: dict[str, ProfileView | None]


class TriggersState(NamedTuple):
    """The same of triggers. The agenda is not: it may be early."""

    facts: Rows
    memberships: Rows
    former: Rows
    carts: Rows


@dataclass
class Platform:
    """Identity; one instance of profile and one of triggers."""

    graphs: Graphs
    profile_pool: Pool
    profile: ProfileWorker
    shop: Shop

    async def deliver(self, batches: Sequence[Sequence[Record]]) -> None:
        """To profile and to triggers, and what profile makes of each batch to triggers as well."""
        for batch in batches:
            sent = len(self.profile.wire.sent)
            await self.profile.deliver(batch)
            await self.shop.take(*(one.value for one in batch))
            await self.shop.meet(*(one.value for one in self.profile.wire.sent[sent:]))

    async def forget(self) -> None:
        """Both begin anew, with empty tables."""
        async with connection(self.profile_pool) as conn:
            await conn.execute("TRUNCATE home, event, profile, moved, subject, consent, contact")
        await self.shop.execute(
            "TRUNCATE agenda, membership, former, fact, cart_key, decision, outbox, profile_copy, position, safe_time"
        )
        self.profile = ProfileWorker(self.profile_pool)
        self.shop = Shop(self.shop.pool, new_broker())

    async def whole(self, customer_id: str) -> Whole | None:
        return await lookup.by_customer(self.profile_pool, customer_id, BASIS)

    async def answer(self, customer_id: str) -> ProfileView | None:
        """The API's whole answer about an id, but for the version."""
        found = await self.whole(customer_id)
        return None if found is None else view(found._replace(profile_version=0), hide=False)

    async def profile_state(self, ids: Sequence[str]) -> ProfileState:
        async with connection(self.profile_pool) as conn:
            homes = {row[0].hex(): _kept(row) for row in await conn.fetch(_HOMES)}
            events, consent = await _rows(conn, _EVENTS), await _rows(conn, _CONSENT)
        answers = {one: await self.answer(one) for one in ids}
        return ProfileState(homes, events, consent, speaking(self.profile.wire.newest()), answers)

    async def triggers_state(self) -> TriggersState:
        async with connection(self.shop.pool) as conn:
            return TriggersState(*[await _rows(conn, one) for one in (_FACTS, _MEMBERSHIPS, _FORMER, _CARTS)])

    async def decided(self, until: datetime, every: timedelta) -> Rows:
        """What is decided up to `until`, safe time going on in steps: all that a decision says but its wall clock."""
        moment = NOON
        while moment < until:
            await self.shop.at(moment)
            moment += every
        async with connection(self.shop.pool) as conn:
            found = await log.newest(conn, None, None, None, 10_000)
        return frozenset(
            (d.rule, d.key, d.trigger_id, d.home_id, d.customer_id, d.anchor, d.due, d.round, d.outcome, d.reason)
            for d in found
        )


@asynccontextmanager
async def open_platform(database: str) -> AsyncIterator[Platform]:
    """On a fresh database."""
    async with AsyncExitStack() as stack:
        pools = []
        for service in ("identity", "profile", "triggers"):
            pools.append(await open_pool(database, service=service, size=4))
            stack.push_async_callback(pools[-1].close)
        identity, profile, triggers = pools
        yield Platform(Graphs(identity), profile, ProfileWorker(profile), Shop(triggers, new_broker()))


def _kept(row: Any) -> Kept:
    _, customer_id, version, shared, first_at, last_at, activity, standing = row
    said = fragment.decode_standing(standing) or Standing()
    return Kept(customer_id, version, shared, first_at, last_at, fragment.decode_activity(activity), said)


async def _rows(conn: Any, query: str) -> Rows:
    return frozenset(tuple(_plain(value) for value in row) for row in await conn.fetch(query))


def _plain(value: object) -> object:
    return value.hex if isinstance(value, UUID) else value
