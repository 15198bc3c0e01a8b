"""Identity in a simulation: reading, graph and records are the service's own; its tables are dictionaries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import NAMESPACE_OID, uuid5

from simulation.flaws import Flaw
from simulation.process import Process
from tern_common.bus import Message, Producer, Record
from tern_common.consume import Batch, Rest
from tern_common.events import HomeVersion, MembershipChange, decode_event, encode
from tern_common.headers import headers_of
from tern_common.topics import RESOLVED
from tern_identity.consumer import Arrived, resolved
from tern_identity.domain.placing import Customer
from tern_identity.domain.reading import read
from tern_identity.store import Filed
from unit.identity.histories import SHIPPED
from unit.identity.memory_graph import Member, MemoryGraph


class Told(NamedTuple):
    """A membership as records tell it."""

    customer_id: str
    version: int
    shared: bool


class IdentityTables:
    """What all instances share. `outbox`: membership changes that nobody has acknowledged yet, in order."""

    def __init__(self) -> None:
        self.graph = MemoryGraph(SHIPPED)
        self.outbox: list[Message] = []

    def file(self, heard: Sequence[Arrived]) -> list[Filed]:
        """One transaction. A home that moves is told of; one that is new is told by its events."""
        graph, before = self.graph, dict(self.graph.members)
        graph.file(heard)
        for home_id in sorted(graph.members):
            if home_id in before and before[home_id] != graph.members[home_id]:
                self.outbox.append(_change(home_id, before[home_id], graph.members[home_id]))
        return [
            Filed(wire_id(record.home_id), _told(record.member))  # type: ignore[arg-type]
            for record in graph.records[-len(heard) :]
            if record.message_id is not None
        ]


class PlayedIdentity:
    """`consume.Handler` of one instance."""

    def __init__(
        self,
        process: Process,
        tables: IdentityTables,
        producer: Producer,
        output: str = RESOLVED,
        flaw: Flaw | None = None,
    ) -> None:
        self._flaw = flaw
        self._process = process
        self._tables = tables
        self._producer = producer
        self._output = output

    def decode(self, record: Record) -> Arrived:
        event = decode_event(record.value)
        reading = read(event, SHIPPED.known)
        return Arrived(reading, event.event_time, event.message_id, event.source_id, event.mode, record.value)

    async def apply(self, batch: Batch[Arrived]) -> Rest:
        """The transaction; the rest publishes all that follows from it, as the service's own edge does."""
        await self._process.transaction()
        known = {record.message_id for record in self._tables.graph.records}
        filed = self._tables.file(batch.items) if batch.items else []
        await self._process.io()

        async def publish() -> None:
            told = list(zip(batch.items, filed, strict=True))
            if self._flaw is Flaw.SKIP_REDELIVERED:
                told = [(one, where) for one, where in told if one.message_id not in known]
            if told:
                said, where = [one for one, _ in told], [one for _, one in told]
                await self._producer.send(list(resolved(said, where, self._output)))
            await self._drain()

        if self._flaw is not Flaw.COMMIT_FIRST:
            return publish
        self._process.later(publish)
        return _nothing

    async def _drain(self) -> None:
        while waiting := list(self._tables.outbox):
            await self._producer.send(waiting)
            await self._process.io()
            self._tables.outbox = [one for one in self._tables.outbox if one not in waiting]


async def _nothing() -> None:
    """All is said to be done."""


def _told(member: Member) -> Told:
    return Told(customer_id(member.customer), member.version, member.customer.is_shared)


def wire_id(home_id: str) -> str:
    """The graph in memory names homes in words."""
    return uuid5(NAMESPACE_OID, home_id).hex


def customer_id(customer: Customer) -> str:
    """A name that stays with its node."""
    return str(uuid5(NAMESPACE_OID, f"{customer.node_id}/{customer.standing}"))


def _change(home_id: str, old: Member, new: Member) -> Message:
    before, now = _told(old), _told(new)
    change = MembershipChange(
        customer_id=now.customer_id,
        homes=(HomeVersion(wire_id(home_id), now.version),),
        from_=(before.customer_id,),
        shared=now.shared,
    )
    value = encode(change)
    return Message(RESOLVED, now.customer_id.encode(), value, headers_of("membership", value))
