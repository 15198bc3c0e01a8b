"""Events on the wire, a worker that handles them, and a reader of what it publishes who knows no order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from integration.identity.graph_in_database import KEYS, Graphs
from tern_common.bus import Record
from tern_common.consume import Batch
from tern_common.events import (
    Event,
    IdentityNotice,
    MembershipChange,
    Merged,
    ResolvedEvent,
    Split,
    Violation,
    decode_resolved,
    encode,
)
from tern_common.memory import MemoryBus
from tern_common.topics import EVENTS, IDENTITY, RESOLVED
from tern_identity.consumer import EventHandler
from tern_identity.domain.rules import Rules
from tern_identity.store import Numbers, Store
from unit.identity.histories import SHIPPED, Said, event

_notice: msgspec.json.Decoder[Merged | Split | Violation] = msgspec.json.Decoder(IdentityNotice)


def record(told: Event, offset: int = 0) -> Record:
    return Record(EVENTS, 0, offset, b"key", encode(told), (("message-id", told.message_id.encode()),))


class Worker:
    """One instance of the consumer, with a bus of its own unless one is given."""

    def __init__(self, graphs: Graphs, bus: MemoryBus | None = None, rules: Rules = SHIPPED) -> None:
        self.bus = bus or MemoryBus()
        self.handler = EventHandler(Store(graphs.pool, KEYS, Numbers(rules, 0)), graphs.pool, self.bus.producer)

    async def hear(self, *history: Said) -> None:
        """All of it in one batch."""
        await self.take([record(event(said)) for said in history])

    async def take(self, records: Sequence[Record]) -> None:
        publish = await self.handler.apply(Batch([self.handler.decode(one) for one in records], {}))
        await publish()

    def resolved(self) -> list[ResolvedEvent]:
        return [said for said in self._said() if isinstance(said, ResolvedEvent)]

    def changes(self) -> list[MembershipChange]:
        return [said for said in self._said() if isinstance(said, MembershipChange)]

    def notices(self) -> list[IdentityNotice]:
        return [_notice.decode(one.value) for one in self.bus.sent(IDENTITY)]

    def _said(self) -> Iterable[ResolvedEvent | MembershipChange]:
        return [decode_resolved(one.value) for one in self.bus.sent(RESOLVED)]


@dataclass
class Reader:
    """What any consumer must do: keep a home's membership of the highest version."""

    members: dict[str, tuple[int, str, bool]] = field(default_factory=dict)

    def read(self, records: Iterable[Record]) -> None:
        for one in records:
            said = decode_resolved(one.value)
            if isinstance(said, ResolvedEvent):
                self._keep(said.home_id, said.membership_version, said.customer_id, said.shared)
            else:
                for home in (*said.homes, *said.doors):
                    self._keep(home.home_id, home.version, said.customer_id, said.shared)

    def _keep(self, home_id: str, version: int, customer_id: str, shared: bool) -> None:
        known = self.members.get(home_id)
        if known is not None and known[0] == version:
            assert known == (version, customer_id, shared), "one version, two meanings"
        if known is None or known[0] < version:
            self.members[home_id] = (version, customer_id, shared)
