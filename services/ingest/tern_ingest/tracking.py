"""The hot path: a tracking request from its first byte to its answer, as a plain ASGI application per route.

head → write key → body → parse → decide → one send → 200. Everything that ends it early is a `Refused`.
Knows neither what calls mean (domain) nor how Kafka is written to (bus).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, ParamSpec, TypeVar

from starlette.types import Receive, Scope, Send

from tern_common import failpoints
from tern_common.bus import Message, Producer
from tern_common.clock import Clock
from tern_common.errors import Misconfigured, Refused, Transient, Unusable
from tern_common.events import EventType
from tern_common.ids import new_uuid7
from tern_common.logs import logger
from tern_ingest import answers, credentials, meters
from tern_ingest.bodies import LONG, Bodies, Came, Gone, says_long
from tern_ingest.callers import Caller, Callers, is_robots, kept_address
from tern_ingest.domain import bounds, calls, decisions, tolerant
from tern_ingest.domain.calls import Parsed
from tern_ingest.domain.decisions import Decision, Rejected, Stamp
from tern_ingest.domain.keys import WriteKey
from tern_ingest.domain.policy import Policy
from tern_ingest.domain.scrubbing import emptied, may_hold_secrets
from tern_ingest.domain.tallies import Tallies
from tern_ingest.gate import Gate
from tern_ingest.keyring import Keyring
from tern_ingest.outgoing import messages

P = ParamSpec("P")
T = TypeVar("T")

GONE = 499
"""The status, for the metrics alone, of a caller who hung up before it was answered."""
_COMPLAINTS_APART_S = 60.0


class Opened(NamedTuple):
    """A body: its bytes, unpacked; whether some of them may be a secret; its events."""

    size: int
    marked: bool
    parsed: Parsed


class NoRequest(Refused):
    """A body that as a whole is no tracking request."""

    def __init__(self, wrong: Unusable, body: bytes) -> None:
        super().__init__(413 if wrong.reason == bounds.TOO_MANY else 400, wrong.reason, wrong.detail)
        self.body = body


class Complaint:
    """What only an operator can mend and every request meets: told to the log, not more than once a minute."""

    def __init__(self) -> None:
        self._made_at = float("-inf")

    def make(self, wrong: Misconfigured, now: float) -> None:
        """`now`: real seconds."""
        if now - self._made_at >= _COMPLAINTS_APART_S:
            self._made_at = now
            logger.error("kafka refuses events", why=str(wrong))


@dataclass(frozen=True)
class Door:
    """What every tracking route works with."""

    keyring: Keyring
    producer: Producer
    clock: Clock
    bodies: Bodies
    policy: Policy
    gate: Gate
    callers: Callers = field(default_factory=Callers)
    tallies: Tallies = field(kw_only=True)
    complaint: Complaint = field(default_factory=Complaint)

    def unstored(self, wrong: Transient | Misconfigured, message: str) -> Refused:
        """What a caller is told whose events Kafka does not take: away or refusing, he sends again."""
        if isinstance(wrong, Misconfigured):
            self.complaint.make(wrong, self.clock.monotonic())
        return Refused(503, "kafka-unavailable", message, self.policy.waits.retry_after_s)


class Tracking:
    """One path. `path_type`: the type of events that do not say their own; None where they must."""

    def __init__(self, door: Door, path: str, path_type: EventType | None) -> None:
        self._door = door
        self._path = path
        self._path_type = path_type

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.answer(scope, receive, send)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> int:
        """Answers any request to this path. Returns the status."""
        head = dict(scope["headers"])
        caller = self._door.callers.of(scope, head)
        if scope["method"] == "OPTIONS":
            return await self._preflight(scope, head, caller, send)
        try:
            if scope["method"] != "POST":
                raise Refused(405, "method-not-allowed", "tracking calls are POST requests")
            await self._take(scope, head, caller, receive)
        except Refused as refused:
            self._door.gate.blame(caller, refused)
            return await answers.refuse(send, caller.origin, refused)
        except Gone:
            return GONE
        return await answers.succeed(send, caller.origin)

    async def _take(self, scope: Scope, head: Mapping[bytes, bytes], caller: Caller, receive: Receive) -> None:
        """Returns when Kafka has all events of the request. Raises `Refused` and `Gone`."""
        door = self._door
        written = credentials.outside_the_body(head, scope["query_string"])
        key = await door.gate.admit(written, caller) if written else None
        if key is None:
            door.gate.check(caller)
        if says_long(head):
            door.gate.check_long(caller, key)
        with door.bodies.hold() as hold:
            try:
                came = await door.bodies.read(receive, head, hold)
                body = door.bodies.at_once(came)
                size, marked, parsed = await self._read_long(came, caller, key) if body is None else self._read(body)
            except Refused as refused:
                if key is not None:
                    await self._account_for(refused, key, self._stamp(key, caller, head))
                raise
            if came.form is not None:
                hold.take(size)
            key = key or await door.gate.admit(credentials.in_the_body(parsed), caller)
            door.gate.owe(key, len(parsed.parts) - 1)
            stamp = self._stamp(key, caller, head, marked)
            decided, records = await self._worked(size, self._decided, parsed, stamp)
            await self._publish(decided, records, stamp)

    def _read(self, body: bytes) -> Opened:
        """Raises `NoRequest`."""
        limits = self._door.policy.limits
        try:
            parsed = calls.parse(body, limits) or tolerant.parse(body, limits)
        except Unusable as wrong:
            raise NoRequest(wrong, body) from None
        return Opened(len(body), may_hold_secrets(body), parsed)

    async def _read_long(self, came: Came, caller: Caller, key: WriteKey | None) -> Opened:
        """What is in a body that is long, or unpacks to it: found in a thread, for who has not sent some in vain."""
        door = self._door
        async with door.bodies.large:
            door.gate.check_long(caller, key)
            try:
                found = await asyncio.to_thread(lambda: self._read(door.bodies.in_full(came)))
            except Refused:
                door.gate.blame_long(caller)
                raise
        if all(isinstance(part.call, str) for part in found.parsed.parts):
            door.gate.blame_long(caller)
        return found

    def _stamp(self, key: WriteKey, caller: Caller, head: Mapping[bytes, bytes], marked: bool = True) -> Stamp:
        address, robots = kept_address(caller, head), is_robots(key, head)
        now = self._door.clock.now()
        return Stamp(key.source_id, key.trusted, now, self._path_type, key.rule, marked, address, robots)

    def _decided(self, parsed: Parsed, stamp: Stamp) -> tuple[list[Decision], list[Message]]:
        decided = decisions.decide(parsed, stamp, self._new_ids())
        return decided, messages(decided, stamp, self._path, parsed.sent_at)

    async def _publish(self, decided: list[Decision], found: list[Message], stamp: Stamp) -> None:
        door = self._door
        try:
            await door.producer.send(found, door.policy.waits.kafka_s)
        except (Transient, Misconfigured) as wrong:
            raise door.unstored(wrong, "events cannot be stored now; send them again") from None
        failpoints.reached("ingest.acknowledged")
        meters.count(decided)
        door.tallies.note(decided, stamp.source_id, stamp.received_at)

    def _new_ids(self) -> Iterator[str]:
        while True:
            yield str(new_uuid7(self._door.clock.now()))

    async def _account_for(self, refused: Refused, key: WriteKey, stamp: Stamp) -> None:
        """Keeps a body that is no request, for whoever looks for its events (ADR 27); all else is only counted.

        Raises `Refused` 503.
        """
        if not (isinstance(refused, NoRequest) and 0 < len(refused.body) <= self._door.policy.limits.kept_bytes):
            self._door.gate.noted(refused, key)
            return
        decided: list[Decision] = [Rejected(refused.code, await self._worked(len(refused.body), emptied, refused.body))]
        await self._publish(decided, messages(decided, stamp, self._path), stamp)

    async def _worked(self, size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` returns. What comes of a large body is worked on in a thread, one at a time: others go on."""
        if size <= LONG:
            return work(*args, **kwargs)
        async with self._door.bodies.large:
            return await asyncio.to_thread(work, *args, **kwargs)

    async def _preflight(self, scope: Scope, head: Mapping[bytes, bytes], caller: Caller, send: Send) -> int:
        """A browser asks without its key, so that every page may ask, unless the address names a key that says no."""
        written = credentials.in_the_address(scope["query_string"])
        echoed = caller.origin if self._door.gate.may_ask(written, caller.origin) else None
        return await answers.preflight(send, head, echoed)
