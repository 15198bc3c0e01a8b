"""Sending rejected events again, mended: a page of letters in, a page of records out, and what became of each told.

A page is sent when all of it is decided, and may be sent again: the same letter has the same message id each time.
Knows no HTTP but the words of its order, and neither what mends an event nor what judges it (domain).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tern_common.auth import Caller
from tern_common.bus import Message
from tern_common.errors import Refused, Transient, Unusable
from tern_common.events import EventType
from tern_common.logs import logger
from tern_ingest import meters
from tern_ingest.dead_letters import CURSOR, LETTERS_READ, DeadLetters
from tern_ingest.domain import mending
from tern_ingest.domain.decisions import Accepted, Rejected, Stamp
from tern_ingest.domain.letters import Letter, Wanted
from tern_ingest.domain.mending import LONGEST_STEP, MOST_STEPS, read_mapping
from tern_ingest.domain.replaying import Replay, Terms, replay
from tern_ingest.outgoing import messages
from tern_ingest.tracking import Door

LETTERS_SENT, BYTES_SENT = 500, 2 * 1024 * 1024
"""The most that a page sends; one letter may be larger."""
SAMPLE_CHARS = 2_000
MOST_SAMPLES = 10
_MOST_LINES = 10 * MOST_STEPS
"""Of a mapping: most may be empty, or words about it."""
_COPIES = 3
"""Of a letter that is being worked on: as it came, mended, and as a record."""

_Name = Annotated[str | None, Field(max_length=300)]
Cursor = Annotated[str | None, Field(max_length=4_000, pattern=CURSOR)]


class Filter(BaseModel):
    """Which rejected events: those of which all that is named is true. `place`: a path such as `/v1/batch`, a topic, or
    a whole place of a group's sample. `since`: rejected at that moment or later."""

    model_config = ConfigDict(extra="forbid")

    source: _Name = None
    reason: _Name = None
    service: _Name = None
    place: _Name = None
    since: AwareDatetime | None = None

    @property
    def wanted(self) -> Wanted:
        """As the domain has it."""
        return Wanted(self.source, self.reason, self.service, self.place, self.since)


class Order(BaseModel):
    """What to send again, and how to mend it: steps such as `rename properties.id properties.product_id`,
    `default type track`, `date timestamp "%d.%m.%Y %H:%M" Europe/Berlin`, `type userId text`, `remove context.blob`.

    `dry_run`: nothing is sent. `samples`: at most so many mended events of each outcome.
    """

    model_config = ConfigDict(extra="forbid")

    where: Filter = Filter()
    mapping: list[Annotated[str, Field(max_length=LONGEST_STEP)]] = Field(default=[], max_length=_MOST_LINES)
    dry_run: bool = True
    samples: Annotated[int, Field(ge=0, le=MOST_SAMPLES)] = 1
    cursor: Cursor = None


class Mended(BaseModel):
    """A letter and what becomes of it: `accepted`, or why not. `mended`: the beginning of what is judged."""

    at: str
    outcome: str
    mended: str


class Replayed(BaseModel):
    """What became of a page: events and records sent (or that would be), and those refused again by reason, which stay
    where they are. `next`: null at the end."""

    read: int
    accepted: int
    refused: dict[str, int]
    samples: list[Mended]
    dry_run: bool
    next: str | None


class _Worked(NamedTuple):
    """A letter's replay, and the record that goes to Kafka, if any does."""

    replay: Replay
    message: Message | None


class Replaying:
    """Sends letters again, page by page."""

    def __init__(self, letters: DeadLetters, door: Door, types: Mapping[str, EventType | None]) -> None:
        self._letters = letters
        self._door = door
        self._types = types

    async def carry_out(self, order: Order, caller: Caller) -> Replayed:
        """One page. Raises `Refused`: 400 for the mapping, 503 when something is away or too much is in flight."""
        door = self._door
        mapping = _mapping(order.mapping)
        rules = await door.keyring.rules()
        picking = _Picking(order.where.wanted)
        cursor = await self._letters.read(order.cursor, picking.take)
        terms = Terms(door.clock.now(), mapping, door.policy.limits, rules, self._types)
        with door.bodies.hold() as hold:
            hold.take(picking.size * _COPIES)
            async with door.bodies.large:
                worked = await asyncio.to_thread(_work, picking.found, terms)
            if not order.dry_run:
                worked = await self._sent(worked)
        told = _tell(worked, order, picking.read, cursor)
        if not order.dry_run:
            self._note(told, caller)
        return told

    async def _sent(self, worked: list[_Worked]) -> list[_Worked]:
        """All of the page at once; one by one when one of them is more than its topic takes."""
        try:
            await self._send([one.message for one in worked if one.message is not None])
        except Unusable:
            return [await self._sent_alone(one) for one in worked]
        return worked

    async def _sent_alone(self, one: _Worked) -> _Worked:
        try:
            await self._send([one.message] if one.message is not None else [])
        except Unusable as wrong:
            refused = Rejected(wrong.reason, one.replay.mended)
            return _Worked(one.replay._replace(outcome=refused), None)
        return one

    async def _send(self, found: list[Message]) -> None:
        """Raises `Unusable`, and `Refused` 503: then the page may be asked for again."""
        waits = self._door.policy.waits
        try:
            await self._door.producer.send(found)
        except Transient:
            raise Refused(
                503, "kafka-unavailable", "events cannot be stored now; go on later", waits.retry_after_s
            ) from None

    def _note(self, told: Replayed, caller: Caller) -> None:
        meters.REPLAYED.labels("accepted").inc(told.accepted)
        meters.REPLAYED.labels("refused").inc(sum(told.refused.values()))
        if told.accepted or told.refused:
            logger.info("rejected events sent again", sent=told.accepted, refused=told.refused, token=caller.token_id)


class _Picking:
    """The letters of a page of a replay."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self.found: list[Letter] = []
        self.size = self.read = 0

    def take(self, one: Letter) -> bool:
        """Whether the page has room for more."""
        self.read += 1
        if self._wanted.takes(one):
            self.found.append(one)
            self.size += len(one.value)
        return self.read < LETTERS_READ and len(self.found) < LETTERS_SENT and self.size < BYTES_SENT


def _mapping(steps: list[str]) -> mending.Mapping:
    try:
        return read_mapping(steps)
    except Unusable as wrong:
        raise Refused(400, wrong.reason, wrong.detail) from None


def _work(found: list[Letter], terms: Terms) -> list[_Worked]:
    return [_worked(replay(one, terms)) for one in found]


def _worked(one: Replay) -> _Worked:
    if isinstance(one.outcome, Accepted):
        event = one.outcome.event
        stamp = Stamp(event.source_id, event.trusted, event.received_at)
        return _Worked(one, messages([one.outcome], stamp, one.letter.place)[0])
    return _Worked(one, one.outcome if isinstance(one.outcome, Message) else None)


def _tell(worked: list[_Worked], order: Order, read: int, cursor: str | None) -> Replayed:
    outcomes: Counter[str] = Counter()
    samples = []
    for one in worked:
        outcome = one.replay.outcome.reason if isinstance(one.replay.outcome, Rejected) else "accepted"
        outcomes[outcome] += 1
        if outcomes[outcome] <= order.samples:
            samples.append(Mended(at=one.replay.letter.at, outcome=outcome, mended=beginning(one.replay.mended)))
    accepted = outcomes.pop("accepted", 0)
    return Replayed(
        read=read, accepted=accepted, refused=dict(outcomes), samples=samples, dry_run=order.dry_run, next=cursor
    )


def beginning(value: bytes) -> str:
    """Its beginning. What is no text is still shown."""
    return value[: SAMPLE_CHARS * 4].decode("utf-8", "replace")[:SAMPLE_CHARS]
