"""Triggers in a simulation: all that decides is the service's own; its tables are dictionaries, its outbox a list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from simulation.deciding import Judged, PlayedNode, PutOff
from simulation.flaws import Flaw
from tern_common.bus import Message, Place, Record, Span
from tern_common.lanes import BACKFILL, LIVE, NOTHING_YET
from tern_common.topics import PROFILES
from tern_triggers.domain.agenda import Plan
from tern_triggers.domain.contract import FIRED
from tern_triggers.domain.news import News, read_profile, read_resolved
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rounds import Safe
from tern_triggers.domain.rules import Rule
from tern_triggers.store.outbox import Letter

LEASE_S = 30.0
STALE_AFTER_S = 10.0


@dataclass
class Row:
    """A letter in the outbox. Moments are real seconds, `checked_at` is domain time."""

    seq: int
    letter: Letter
    created: float
    attempted: bool = False
    lease: float | None = None
    checked_at: datetime | None = None

    def message(self) -> Message:
        one = self.letter
        return Message(one.topic, one.key, one.value, (("message-id", one.message_id.encode()),))


@dataclass
class TriggerTables:
    """What all instances share. Every method is one transaction."""

    rules: Sequence[Rule]
    policy: Policy
    positions: dict[Place, int] = field(default_factory=dict)
    safe: dict[str, datetime] = field(default_factory=dict)
    outbox: list[Row] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)
    put_off: list[PutOff] = field(default_factory=list)
    written: int = 0
    flaw: Flaw | None = None
    attempts: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.node = PlayedNode(self)

    def apply(self, items: Iterable[News], spans: dict[Place, Span], now: datetime, real: float) -> None:
        """A batch, and how far it reaches."""
        self.node.real = real
        self.node.batch(items, now)
        for place, span in spans.items():
            if span.start <= self.positions.get(place, 0):
                self.positions[place] = max(self.positions.get(place, 0), span.end)

    def raise_safe(self, lane: str, at: datetime) -> None:
        """Never falls."""
        self.safe[lane] = max(at, self.safe.get(lane, at))

    def reached(self) -> Safe | None:
        """Safe time of the live lane, and of all."""
        live = self.safe.get(LIVE)
        if live is None:
            return None
        return Safe(live, live if self.flaw is Flaw.LIVE_ALONE else min(live, self.safe.get(BACKFILL, NOTHING_YET)))

    def due(self, safe: Safe) -> list[str]:
        """Customers that somebody has to look at, the longest due first."""
        found = [(at, who) for who, plan in self.node.agenda.items() if (at := _due(plan, safe)) is not None]
        return [who for _, who in sorted(found)]

    def decide(self, customers: Sequence[str], safe: Safe, now: datetime, real: float) -> list[Row]:
        """The fire transaction. Returns what is leased to the caller, who publishes it."""
        before = self.written
        self.node.real = real
        for customer in customers:
            if _due(self.node.agenda.get(customer, Plan()), safe) is not None:
                self.node.look(customer, safe, now)
        return [row for row in self.outbox if row.seq > before]

    def put(self, found: Iterable[Letter], real: float, *, leased: bool = False) -> None:
        """Queues letters; those that are leased are noted as attempted."""
        for letter in found:
            self.written += 1
            attempted = leased and self.flaw is not Flaw.NOTED_AFTER_SENDING
            self.outbox.append(Row(self.written, letter, real, attempted, real + LEASE_S if leased else None))

    def tried(self, rows: Iterable[Row], real: float) -> None:
        """They are about to be sent."""
        for row in rows:
            self.attempts.setdefault(row.letter.message_id, real)

    # -- the outbox, in two steps: noted before it is sent, removed once it is acknowledged -----------------------

    def claim(self, now: datetime, real: float) -> list[Row]:
        """Notes an attempt at what may be sent, never past an earlier letter of the same trigger."""
        safe = self.reached()
        claimed: list[Row] = []
        for row in self.outbox:
            if row.letter.type == FIRED and row.checked_at is None and row.created < real - STALE_AFTER_S:
                row.checked_at = now
            if self._free(row, safe, real):
                row.attempted, row.lease = self.flaw is not Flaw.NOTED_AFTER_SENDING, real + LEASE_S
                claimed.append(row)
        return claimed

    def _free(self, row: Row, safe: Safe | None, real: float) -> bool:
        if row.lease is not None and row.lease >= real:
            return False
        if any(other.seq < row.seq and other.letter.trigger_id == row.letter.trigger_id for other in self.outbox):
            return False
        return (
            row.letter.type != FIRED
            or row.checked_at is None
            or (safe is not None and row.checked_at <= safe.of(row.letter.lane))
        )

    def failed(self, rows: Sequence[Row], now: datetime) -> None:
        """Given back after a failed send."""
        for row in rows:
            row.lease = None
            row.checked_at = now if row.letter.type == FIRED else None

    def delivered(self, rows: Sequence[Row]) -> None:
        """Acknowledged: they go."""
        gone = {row.seq for row in rows}
        self.outbox = [row for row in self.outbox if row.seq not in gone]

    def take_back(self, trigger_id: str) -> bool:
        """Removes a trigger that nobody can have seen."""
        unseen = [
            row
            for row in self.outbox
            if row.letter.trigger_id == trigger_id and row.letter.type == FIRED and not row.attempted
        ]
        self.delivered(unseen)
        return bool(unseen)


def _due(plan: Plan, safe: Safe) -> datetime | None:
    moments = [at for at, passed in ((plan.live, safe.live), (plan.all, safe.all)) if at is not None and at <= passed]
    return min(moments, default=None)


def read(record: Record, tables: TriggerTables) -> News:
    """What a record says. Raises `Poison`."""
    if record.topic == PROFILES:
        return read_profile(record.value)
    news = read_resolved(record.value, tables.node.rules.reads)
    if tables.flaw is not Flaw.HISTORY_SPEAKS:
        return news
    return msgspec.structs.replace(news, facts=tuple(msgspec.structs.replace(one, passive=False) for one in news.facts))
