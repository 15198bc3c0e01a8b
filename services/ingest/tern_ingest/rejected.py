"""The operators' door to rejected events: what there is, by reason; and sending it again, mended.

Both answer in pages: whoever asks goes on with the page's `next` until there is none. Nothing is kept between pages.
Knows neither what mends an event nor what judges it (domain).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tern_common.auth import Caller, require
from tern_common.bus import Message
from tern_common.errors import Refused, Transient, Unusable
from tern_common.events import EventType
from tern_common.logs import logger
from tern_ingest import meters
from tern_ingest.dead_letters import CURSOR, DeadLetters
from tern_ingest.domain import mending
from tern_ingest.domain.decisions import Accepted, Rejected, Stamp
from tern_ingest.domain.letters import Letter, Wanted
from tern_ingest.domain.masking import masked
from tern_ingest.domain.mending import LONGEST_STEP, MOST_STEPS, read_mapping
from tern_ingest.domain.replaying import Replay, Terms, replay
from tern_ingest.outgoing import messages
from tern_ingest.tracking import Door

LETTERS_READ, GROUPS = 20_000, 500
"""The most that a page of the list reads and answers."""
LETTERS_SENT, BYTES_SENT = 500, 2 * 1024 * 1024
"""The most that a page of a replay sends; one letter may be larger."""
SAMPLE_CHARS = 2_000
_COPIES = 3
"""Of a letter that is being worked on: as it came, mended, and as a record."""
_MOST_SAMPLES = 10
_MOST_LINES = 10 * MOST_STEPS
"""Of a mapping: most may be empty, or words about it."""
_MAY_SEE = frozenset({"pii:read", "admin"})

_Name = Annotated[str | None, Field(max_length=300)]
_Cursor = Annotated[str | None, Field(max_length=4_000, pattern=CURSOR)]


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


class Asked(Filter):
    """A page of the list. `samples`: at most so many of each group."""

    samples: Annotated[int, Field(ge=0, le=_MOST_SAMPLES)] = 3
    cursor: _Cursor = None


class Sample(BaseModel):
    """A rejected event. `at`: where it stands on the topic; `place`: where it was rejected. `text`: its beginning,
    masked unless the token may see personal data; `bytes`: its length."""

    at: str
    place: str
    bytes: int
    text: str


class Group(BaseModel):
    """Rejected events that have reason, source, service and place in common; times are of the first and the last."""

    reason: str
    source: str | None
    service: str
    place: str
    count: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    samples: list[Sample] = []


class Page(BaseModel):
    """What was found on a part of the topic. A group may come again on another page. `next`: null at the end."""

    groups: list[Group]
    read: int
    masked: bool
    next: str | None


class Order(BaseModel):
    """What to send again, and how to mend it: steps such as `rename properties.id properties.product_id`,
    `default type track`, `date timestamp "%d.%m.%Y %H:%M" Europe/Berlin`, `type userId text`, `remove context.blob`.

    `dry_run`: nothing is sent. `samples`: at most so many mended events of each outcome.
    """

    model_config = ConfigDict(extra="forbid")

    where: Filter = Filter()
    mapping: list[Annotated[str, Field(max_length=LONGEST_STEP)]] = Field(default=[], max_length=_MOST_LINES)
    dry_run: bool = True
    samples: Annotated[int, Field(ge=0, le=_MOST_SAMPLES)] = 1
    cursor: _Cursor = None


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


Reader = Annotated[Caller, Depends(require("read"))]
Admin = Annotated[Caller, Depends(require("admin"))]


def rejected_router(letters: DeadLetters, door: Door, types: Mapping[str, EventType | None]) -> APIRouter:
    """`types`: of the tracking paths, of the events that do not say their own."""
    router = APIRouter(prefix="/v1/rejected", tags=["rejected events"])
    replaying = Replaying(letters, door, types)

    @router.get("")
    async def list_rejected(asked: Annotated[Asked, Query()], caller: Reader) -> Page:
        """What was rejected, by any service, of the last 30 days. Samples are masked without `pii:read`."""
        listing = _Listing(asked, shown=caller.role in _MAY_SEE)
        cursor = await letters.read(asked.cursor, listing.take)
        return Page(groups=list(listing.groups.values()), read=listing.read, masked=not listing.shown, next=cursor)

    @router.post("/replay")
    async def replay_rejected(order: Order, caller: Admin) -> Replayed:
        """Send rejected events again, mended. May be said again: every event counts once. 400 for a bad mapping."""
        return await replaying.carry_out(order, caller)

    return router


class _Listing:
    """Gathers the letters of a page into groups."""

    def __init__(self, asked: Asked, shown: bool) -> None:
        self._wanted = asked.wanted
        self._samples = asked.samples
        self.shown = shown
        self.groups: dict[tuple[str, str | None, str, str], Group] = {}
        self.read = 0

    def take(self, one: Letter) -> bool:
        """Whether the page has room for more."""
        self.read += 1
        if self._wanted.takes(one):
            self._add(one)
        return self.read < LETTERS_READ and len(self.groups) < GROUPS

    def _add(self, one: Letter) -> None:
        name = (one.reason, one.source, one.service, one.origin)
        group = self.groups.get(name)
        if group is None:
            group = self.groups[name] = Group(
                reason=one.reason, source=one.source, service=one.service, place=one.origin
            )
        group.count += 1
        if one.rejected_at is not None:
            group.first_at = min(group.first_at or one.rejected_at, one.rejected_at)
            group.last_at = max(group.last_at or one.rejected_at, one.rejected_at)
        if len(group.samples) < self._samples:
            text = _text(one.value)
            said = text if self.shown else masked(text)
            group.samples.append(Sample(at=one.at, place=one.place, bytes=len(one.value), text=said))


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
            samples.append(Mended(at=one.replay.letter.at, outcome=outcome, mended=_text(one.replay.mended)))
    accepted = outcomes.pop("accepted", 0)
    return Replayed(
        read=read, accepted=accepted, refused=dict(outcomes), samples=samples, dry_run=order.dry_run, next=cursor
    )


def _text(value: bytes) -> str:
    """Its beginning. What is no text is still shown."""
    return value[: SAMPLE_CHARS * 4].decode("utf-8", "replace")[:SAMPLE_CHARS]
