"""The hot path: a tracking request from its first byte to its answer, as a plain ASGI application per route.

head → write key → body → parse → decide → one send → 200. Everything that ends it early is a `Refused`.
Knows neither what calls mean (domain) nor how Kafka is written to (bus).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import ParamSpec, TypeVar
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from tern_common import failpoints
from tern_common.bus import Message, Producer
from tern_common.clock import Clock
from tern_common.errors import Refused, Transient, Unusable
from tern_common.events import EventType
from tern_common.ids import new_uuid7
from tern_ingest import answers, meters
from tern_ingest.bodies import Bodies, Gone
from tern_ingest.domain import bounds, calls, decisions, tolerant
from tern_ingest.domain.calls import Call, Parsed
from tern_ingest.domain.decisions import Decision, Stamp
from tern_ingest.domain.policy import Policy
from tern_ingest.domain.scrubbing import may_hold_secrets
from tern_ingest.keyring import Keyring
from tern_ingest.outgoing import messages

P = ParamSpec("P")
T = TypeVar("T")

_TOO_LONG_FOR_THE_LOOP = 64 * 1024
GONE = 499
"""The status, for the metrics alone, of a caller who hung up before it was answered."""

_BASIC = b"basic "


@dataclass(frozen=True)
class Door:
    """What every tracking route works with."""

    keyring: Keyring
    producer: Producer
    clock: Clock
    bodies: Bodies
    policy: Policy


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
        if scope["method"] == "OPTIONS":
            return await answers.preflight(send, head)
        origin = head.get(b"origin")
        try:
            if scope["method"] != "POST":
                raise Refused(405, "method-not-allowed", "tracking calls are POST requests")
            await self._take(scope, head, receive)
        except Refused as refused:
            return await answers.refuse(send, origin, refused)
        except Gone:
            return GONE
        return await answers.succeed(send, origin)

    async def _take(self, scope: Scope, head: Mapping[bytes, bytes], receive: Receive) -> None:
        """Returns when Kafka has all events of the request. Raises `Refused` and `Gone`."""
        door = self._door
        written = _key_outside_the_body(head, scope["query_string"])
        key = await door.keyring.identify(written) if written else None
        with door.bodies.hold() as hold:
            body = await door.bodies.read(receive, head, hold)
            parsed = await self._worked(len(body), self._parsed, body)
            key = key or await door.keyring.identify(_key_in_the_body(parsed))
            marked = may_hold_secrets(body)
            stamp = Stamp(key.source_id, key.trusted, door.clock.now(), self._path_type, key.rule, marked)
            await self._publish(*await self._worked(len(body), self._decided, parsed, stamp))

    async def _worked(self, size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` returns. What comes of a large body is worked on in a thread, one at a time: others go on."""
        if size <= _TOO_LONG_FOR_THE_LOOP:
            return work(*args, **kwargs)
        async with self._door.bodies.large:
            return await asyncio.to_thread(work, *args, **kwargs)

    def _parsed(self, body: bytes) -> Parsed:
        limits = self._door.policy.limits
        try:
            return calls.parse(body, limits) or tolerant.parse(body, limits)
        except Unusable as wrong:
            status = 413 if wrong.reason == bounds.TOO_MANY else 400
            raise Refused(status, wrong.reason, wrong.detail) from None

    def _decided(self, parsed: Parsed, stamp: Stamp) -> tuple[list[Decision], list[Message]]:
        decided = decisions.decide(parsed, stamp, self._new_ids())
        return decided, messages(decided, stamp.source_id, self._path)

    async def _publish(self, decided: list[Decision], found: list[Message]) -> None:
        waits = self._door.policy.waits
        try:
            await self._door.producer.send(found, waits.kafka_s)
        except Transient:
            raise Refused(
                503, "kafka-unavailable", "events cannot be stored now; send them again", waits.retry_after_s
            ) from None
        failpoints.reached("ingest.acknowledged")
        meters.count(decided)

    def _new_ids(self) -> Iterator[str]:
        while True:
            yield str(new_uuid7(self._door.clock.now()))


def _key_outside_the_body(head: Mapping[bytes, bytes], query: bytes) -> str | None:
    """The write key by Basic auth, as a header, or in the address, in this order."""
    authorization = head.get(b"authorization", b"")
    if authorization[: len(_BASIC)].lower() == _BASIC:
        try:
            user, _, _ = base64.b64decode(authorization[len(_BASIC) :]).partition(b":")
        except binascii.Error:
            user = authorization
        if user:
            return user.decode("utf-8", "replace")
    if header := head.get(b"x-write-key"):
        return header.decode("latin-1")
    if b"writeKey" in query:
        return next(iter(parse_qs(query.decode("latin-1")).get("writeKey", [])), None)
    return None


def _key_in_the_body(parsed: Parsed) -> str:
    """The envelope's key, else the first that an event brings. Raises `Refused` when there is none."""
    in_events = (part.call.write_key for part in parsed.parts if isinstance(part.call, Call))
    for said in (parsed.write_key, *in_events):
        if isinstance(said, str) and said:
            return said
    raise Refused(401, "write-key-missing", "send the write key as the user name of Basic auth")
