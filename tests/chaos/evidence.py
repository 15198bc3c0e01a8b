"""What is to be judged, as plain data: what the shop was told, and what the platform made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from chaos.watching import Look
from tern_common.events import Event
from tern_triggers.domain.contract import FIRED, REVOKED
from tern_triggers.domain.decisions import Outcome
from tern_triggers.domain.endings import Revocation

Identifier = tuple[str, str]
"""Namespace and value."""


class Call(NamedTuple):
    """An event as ingest accepted it, first sent and first acknowledged at these moments."""

    event: Event
    sent: datetime
    acked: datetime

    @property
    def message_id(self) -> str:
        return self.event.message_id

    @property
    def household(self) -> str:
        """Whose it is: nothing joins two households."""
        return self.event.message_id.partition("-")[0]


class Made(NamedTuple):
    """A row of the decision log."""

    trigger_id: str
    rule: str
    key: str
    about: str
    step: int
    cycle_ref: str
    customer_id: str
    started: datetime
    anchor: datetime
    due: datetime
    outcome: str
    reason: str | None
    decided_at: datetime
    retracted_at: datetime | None
    cancelled_at: datetime | None

    def letters(self) -> Iterator[tuple[str, str]]:
        """The id and type of each message that has to have been published about it."""
        if self.outcome != Outcome.FIRED:
            return
        yield self.trigger_id, FIRED
        for noted, kind in ((self.retracted_at, Revocation.RETRACTED), (self.cancelled_at, Revocation.CANCELLED)):
            if noted is not None:
                yield f"{self.trigger_id}/{kind}", REVOKED[kind]


class Letter(NamedTuple):
    """A record on a trigger topic."""

    id: str
    type: str
    trigger_id: str
    key: str
    place: tuple[str, int]
    offset: int
    value: bytes


@dataclass
class Evidence:
    """All of it. `stored`: rows that hold each message; `counts`: how often each customer did what, as profile says;
    `customers`: whose each identifier is; `rest`: up to when everything was decided."""

    calls: Sequence[Call]
    made: Sequence[Made]
    letters: Sequence[Letter]
    customers: Mapping[Identifier, str | None]
    stored: Counter[str]
    counts: Mapping[str, Mapping[str, int]]
    looks: Sequence[Look]
    rest: datetime
    unsaid: list[str] = field(default_factory=list)
    """Acknowledged messages that are not on Kafka."""
