"""A shop as one instance of the trigger service sees it: records in, decisions and CloudEvents out.

The database is real; the bus is in memory; the clock stands until a test moves it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import msgspec

from support.waiting import eventually
from tern_common.bus import Message, Place, Producer, Record, Span
from tern_common.clock import ManualClock
from tern_common.consume import Batch, Rest
from tern_common.db import Connection, Pool, Row, connection, transaction
from tern_common.events import (
    Contact,
    Event,
    HomeVersion,
    MembershipChange,
    Mode,
    PublicProfile,
    ResolvedEvent,
    encode,
)
from tern_common.lanes import LANES
from tern_common.memory import MemoryBroker, MemoryBus
from tern_common.topics import PROFILES, RESOLVED, TABLE
from tern_triggers.consumer import Positions, TriggersHandler
from tern_triggers.domain.decisions import Decision
from tern_triggers.domain.policy import OutboxPolicy, Policy
from tern_triggers.domain.rounds import Safe
from tern_triggers.domain.rules import Rule, ruleset
from tern_triggers.publishing import Publisher
from tern_triggers.store import agenda, firing, log, positions
from tern_triggers.store.rulebook import Rulebook
from tern_triggers.store.writing import Writing
from tern_triggers.timing import Timing
from unit.triggers.saying import POLICY, RULES

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
READY = timedelta(hours=1, minutes=5)
"""After a cart's last change at a full minute: due in an hour, and the grace."""


def customer(name: str) -> str:
    """A customer id, the same for each name."""
    return str(uuid5(NAMESPACE_URL, name))


def home(name: str) -> str:
    """A home id, the same for each name."""
    return blake2b(name.encode(), digest_size=16).hexdigest()


def event(
    who: str,
    name: str,
    at: datetime,
    message_id: str,
    *,
    home_of: str | None = None,
    version: int = 1,
    shared: bool = False,
    late_by: timedelta = timedelta(),
    mode: Mode = "live",
    **properties: object,
) -> bytes:
    """A record of the resolved topic: `who` did it, under the home of that name (or `home_of`)."""
    said = Event(
        message_id=message_id,
        type="track",
        name=name,
        event_time=at,
        received_at=at + late_by,
        source_id="shop",
        mode=mode,
        properties=msgspec.Raw(msgspec.json.encode(properties)),
    )
    return encode(
        ResolvedEvent(
            home_id=home(home_of or who),
            customer_id=customer(who),
            membership_version=version,
            event=msgspec.Raw(encode(said)),
            shared=shared,
        )
    )


def cart(who: str, at: datetime, message_id: str, *products: str, cart_id: str | None = "c1", **more: Any) -> bytes:
    """A snapshot of a cart with one piece of each product, 9.50 each."""
    items = [{"product_id": product, "quantity": 1, "price": 9.5, "name": product.title()} for product in products]
    named: dict[str, Any] = {"cart_id": cart_id} if cart_id else {}
    return event(who, "Cart Updated", at, message_id, products=items, **named, **more)


def order(who: str, at: datetime, message_id: str, *products: str, **more: Any) -> bytes:
    """An order of one piece of each product; its order_id is the message id unless given."""
    properties = {"order_id": message_id, "total": 20, "products": [{"product_id": p} for p in products], **more}
    return event(who, "Order Completed", at, message_id, **properties)


def moved(to: str, homes: Mapping[str, int], *sources: str, shared: bool = False) -> bytes:
    """A membership change: homes by name, with their versions."""
    change = MembershipChange(
        customer_id=customer(to),
        homes=tuple(HomeVersion(home(name), version) for name, version in homes.items()),
        from_=tuple(customer(source) for source in sources),
        shared=shared,
    )
    return encode(change)


def erased(token: str, homes: Mapping[str, int], *sources: str) -> bytes:
    """Homes that are gone for good, with `token`, the id of what they were filed under."""
    change = MembershipChange(
        customer_id=customer(token),
        homes=tuple(HomeVersion(home(name), version) for name, version in homes.items()),
        from_=tuple(customer(source) for source in sources),
        shared=True,
        erased=True,
    )
    return encode(change)


def profile(who: str, rev: int = 1, *, email: bool | None = True, into: str | None = None) -> bytes:
    """A record of the profiles topic: consent to e-mail marketing granted, refused or never asked."""
    record = PublicProfile(
        customer_id=customer(who),
        profile_version=rev,
        merged_into=customer(into) if into else None,
        consent={} if email is None else {"marketing": {"email": email}},
        contacts={"email": Contact(value=f"{who}@example.com", trusted=True)},
    )
    return encode(record)


class Shop:
    """One instance. `take` is a batch of resolved records; `meet` is a batch of profiles."""

    def __init__(
        self, pool: Pool, broker: MemoryBroker, rules: Sequence[Rule] | None = None, policy: Policy = POLICY
    ) -> None:
        self.pool = pool
        self.broker = broker
        self.bus = MemoryBus(broker)
        self.clock = ManualClock(NOON)
        self.policy = policy
        self.positions = Positions(pool, self.bus.log)
        self.work_by(Rulebook(ruleset(RULES if rules is None else rules)))
        self._ends = dict.fromkeys((RESOLVED, PROFILES), 0)

    def work_by(self, rulebook: Rulebook) -> None:
        """Builds what works by rules anew."""
        self.writing = Writing(rulebook=rulebook, policy=self.policy, source="/tern/test")
        self.publisher = Publisher(self.pool, self.bus.producer, self.clock, self.writing)
        self.handler = TriggersHandler(self.pool, self.writing, self.positions, self.publisher, self.clock)
        self.timing = Timing(self.pool, self.writing, self.publisher, self.clock)

    def publisher_by(self, numbers: OutboxPolicy, producer: Producer | None = None) -> Publisher:
        """Another one, by numbers of its own."""
        policy = self.policy.model_copy(update={"outbox": numbers})
        writing = msgspec.structs.replace(self.writing, policy=policy)
        return Publisher(self.pool, producer or self.bus.producer, self.clock, writing)

    async def take(self, *values: bytes) -> None:
        """Applies records of the resolved topic as one batch, and brings it to its end."""
        await _through(await self._apply(RESOLVED, values))

    async def begin(self, *values: bytes) -> Rest | None:
        """The same up to the commit; returns what is left to do."""
        return await self._apply(RESOLVED, values)

    async def meet(self, *values: bytes) -> None:
        """Applies records of the profiles topic as one batch."""
        await _through(await self._apply(PROFILES, values))

    async def _apply(self, topic: str, values: Sequence[bytes]) -> Rest | None:
        start = self._ends[topic]
        self._ends[topic] = start + len(values)
        for value in values:
            self.broker.partition(Place(topic, 0)).append(Message(topic, b"k", value), 0)
        items = [self.handler.decode(Record(topic, 0, start + n, b"k", value)) for n, value in enumerate(values)]
        return await self.handler.apply(Batch(items, {Place(topic, 0): Span(start, self._ends[topic])}))

    async def at(self, moment: datetime) -> None:
        """The wall clock and safe time both reach `moment`, and everything due is decided."""
        self.clock.advance(max(timedelta(), moment - self.clock.now()))
        await self.safe(moment)
        while await self.timing.look():
            pass

    async def safe(self, moment: datetime) -> None:
        """Safe time alone reaches `moment`, in all lanes."""
        async with transaction(self.pool) as conn:
            for lane in LANES:
                await positions.raise_safe(conn, lane, moment)

    async def safe_now(self) -> Safe:
        """Safe time as it stands."""
        async with connection(self.pool) as conn:
            safe = await positions.safe(conn)
        assert safe is not None
        return safe

    async def replay(self, *values: bytes) -> None:
        """Applies records of the resolved topic as one batch that moves no position."""
        records = [Record(RESOLVED, 0, 0, b"k", value) for value in values]
        await _through(await self.handler.apply(Batch([self.handler.decode(record) for record in records], {})))

    async def execute(self, statement: str) -> None:
        """Does something to the database that the service does not."""
        async with connection(self.pool) as conn:
            await conn.execute(statement)

    async def count(self, table: str) -> int:
        """How many rows a table has."""
        return int((await self.rows(f"SELECT count(*) FROM {table}"))[0][0])

    async def planned(self) -> set[str]:
        """Customers that have an agenda row."""
        return {str(row[0]) for row in await self.rows("SELECT customer_id FROM agenda")}

    async def position(self, topic: str = RESOLVED) -> int | None:
        """The position of partition 0."""
        async with connection(self.pool) as conn:
            return (await positions.of_topics(conn, [topic])).get(Place(topic, 0))

    async def until_blocked(self) -> None:
        """Returns when some transaction waits for a lock of another."""

        async def blocked() -> bool:
            async with connection(self.pool) as conn:
                waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                return bool(await conn.fetchval(f"{waiting} AND wait_event_type = 'Lock'"))

        await eventually(blocked, 10, "somebody waits for a lock")

    async def decisions(self, who: str | None = None) -> list[Decision]:
        """The log, oldest first."""
        async with connection(self.pool) as conn:
            return (await log.newest(conn, customer(who) if who else None, None, None, 1000))[::-1]

    async def rows(self, query: str) -> list[Row]:
        """What a query finds."""
        async with connection(self.pool) as conn:
            return await conn.fetch(query)

    def transaction(self) -> AbstractAsyncContextManager[Connection]:
        """One of somebody else's."""
        return transaction(self.pool)

    async def unpublished_at(self, moment: datetime) -> None:
        """What is due at `moment` is decided, by a process that dies before it can publish."""
        self.clock.advance(moment - self.clock.now())
        await self.safe(moment)
        await firing.fire_due(self.pool, self.writing, await self.safe_now(), self.clock.now())

    async def deferred(self) -> list[tuple[str, datetime]]:
        """(why, until) of everything that waits."""
        return [(row[0], row[1]) for row in await self.rows("SELECT why, until FROM deferral ORDER BY until")]

    async def outcomes(self, who: str | None = None) -> list[str]:
        """`rule outcome reason` of the log, oldest first."""
        return [f"{d.rule} {d.outcome} {d.reason or '-'}" for d in await self.decisions(who)]

    async def next_look(self) -> datetime | None:
        """The smallest moment of the agenda."""
        async with connection(self.pool) as conn:
            return await agenda.next_look(conn)

    def published(self, family: str = "cart") -> list[dict[str, Any]]:
        """The CloudEvents on a family's topic, in the order they were written."""
        return [msgspec.json.decode(record.value) for record in self.records(family)]

    def records(self, family: str = "cart") -> list[Record]:
        """The records on a family's topic."""
        return self.bus.sent(f"tern.triggers.{family}.v1")


async def _through(rest: Rest | None) -> None:
    if rest is not None:
        await rest()


def new_broker() -> MemoryBroker:
    """A broker with all of Tern's topics."""
    broker = MemoryBroker()
    for topic in TABLE:
        broker.create(topic)
    return broker
