"""`POST /v1/import`: history as lines of JSON, streamed from the socket to the backfill topic.

piece → unpack → split → decide a batch → one send → the next piece is read when Kafka has the last. Nothing is held
but a batch and a line, whatever the length of the body. What lines mean is the domain's, how to answer `progressing`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from tern_common import failpoints
from tern_common.bus import Message
from tern_common.errors import Misconfigured, Refused, Transient, Unusable
from tern_ingest import answers, credentials, meters
from tern_ingest.bodies import Gone, encoding_of
from tern_ingest.callers import Caller
from tern_ingest.domain.decisions import Stamp
from tern_ingest.domain.history import Judged, Tally, judge
from tern_ingest.domain.keys import WriteKey
from tern_ingest.domain.lines import Line, Splitting, Unpacking
from tern_ingest.outgoing import messages
from tern_ingest.progressing import Telling
from tern_ingest.tracking import GONE, Door

PATH = "/v1/import"

_MOST_DIGITS = 15
_PAUSE_S = 1.0
_TOO_LONG_FOR_THE_LOOP = 64 * 1024
_TRUE = frozenset({"", "1", "true", "yes"})
_BATCHES_HELD = 4
"""A batch as its lines, its decisions and its records, and the piece that is being read."""


class Asked(NamedTuple):
    """`first_line`: the number of the body's first line. `from_line`: lines before it are passed over.
    `each_rejected`: the answer names every rejected line, not only a few of each reason."""

    first_line: int = 1
    from_line: int = 1
    dry_run: bool = False
    each_rejected: bool = False


def asked(query: bytes) -> Asked:
    """What the address asks for. Raises `Refused` 400."""
    said = parse_qs(query.decode("latin-1"), keep_blank_values=True)
    dry_run, each_rejected = (said.get(name, ["no"])[0].lower() in _TRUE for name in ("dry_run", "each_rejected"))
    return Asked(_number(said, "first_line"), _number(said, "from_line"), dry_run, each_rejected)


def _number(said: Mapping[str, list[str]], name: str) -> int:
    text = said.get(name, ["1"])[0]
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS and int(text)):
        raise Refused(400, "bad-line-number", f"`{name}` is the number of a line: 1 or more")
    return int(text)


class Importing:
    """The route. One serves all imports of a process."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.answer(scope, receive, send)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> int:
        """Answers any request to this path. Returns the status."""
        door, head = self._door, dict(scope["headers"])
        caller = door.callers.of(scope, head)
        if scope["method"] == "OPTIONS":
            return await answers.preflight(send, head, caller.origin)
        telling = Telling(send, caller.origin, door.clock, door.policy.imports)
        try:
            if scope["method"] != "POST":
                raise Refused(405, "method-not-allowed", "an import is a POST request")
            await self._take(scope, caller, receive, telling)
        except Refused as refused:
            door.gate.blame(caller, refused)
            return await telling.refuse(refused)
        except Gone:
            return GONE
        return await telling.finish()

    async def _take(self, scope: Scope, caller: Caller, receive: Receive, telling: Telling) -> None:
        """Returns when Kafka has all lines. Raises `Refused` and `Gone`."""
        head, query = dict(scope["headers"]), scope["query_string"]
        written = credentials.outside_the_body(head, query)
        if written is None:
            self._door.gate.check(caller)
            raise Refused(401, "write-key-missing", "send the write key as the user name of Basic auth")
        key = await self._door.gate.admit(written, caller)
        if key.kind != "server":
            refused = Refused(403, "server-key-needed", "only a server key may bring in history; this is a browser's")
            raise self._door.gate.noted(refused, key)
        encoding_of(head)
        wanted = asked(query)
        with self._place():
            await _Import(self._door, wanted, (written, caller), telling).take(receive)

    @contextmanager
    def _place(self) -> Iterator[None]:
        """One of few, so that all imports together leave most of the memory to live requests."""
        numbers, retry_after_s = self._door.policy.imports, self._door.policy.waits.retry_after_s
        if self._running >= numbers.at_once:
            raise Refused(503, "too-many-imports", "other imports are under way; try again", retry_after_s)
        self._running += 1
        try:
            with self._door.bodies.hold() as hold:
                hold.take(numbers.line_bytes + _BATCHES_HELD * numbers.batch_bytes)
                yield
        finally:
            self._running -= 1


class _Import:
    """One body on its way. `credential`: the written key and who shows it, asked again before each batch."""

    def __init__(self, door: Door, wanted: Asked, credential: tuple[str, Caller], telling: Telling) -> None:
        self._door = door
        self._numbers = door.policy.imports
        self._wanted = wanted
        self._credential = credential
        self._telling = telling
        self._tally = Tally(self._numbers.samples)
        self._waiting: list[Line] = []
        self._size = 0
        telling.begin(self._tally, max(wanted.first_line, wanted.from_line) - 1, wanted.dry_run)

    async def take(self, receive: Receive) -> None:
        """Until the body ends. Raises `Refused` and `Gone`; what `telling` says then is durable nevertheless."""
        unpacking, splitting = Unpacking(), Splitting(self._numbers.line_bytes, self._wanted.first_line)
        try:
            async for piece in self._pieces(receive):
                for text in unpacking.feed(piece):
                    await self._add(splitting.feed(text))
                    await self._door.clock.sleep(0)  # a small piece may unpack to a thousand times as much
            unpacking.end()
        except Unusable as wrong:
            await self._carry_out()
            raise Refused(400, wrong.reason, wrong.detail) from None
        await self._add(splitting.end())
        await self._carry_out()

    async def _pieces(self, receive: Receive) -> AsyncIterator[bytes]:
        """As they come; the server stops reading from the socket while none is asked for."""
        more = True
        while more:
            try:
                async with asyncio.timeout(self._numbers.piece_s):
                    message = await receive()
            except TimeoutError:
                raise Refused(408, "body-too-slow", "the next piece of the body did not arrive in time") from None
            if message["type"] == "http.disconnect":
                raise Gone
            more = bool(message.get("more_body"))
            yield message.get("body", b"")

    async def _add(self, lines: Iterator[Line]) -> None:
        for line in lines:
            if line.number < self._wanted.from_line:
                continue
            self._waiting.append(line)
            self._size += len(line.text)
            if len(self._waiting) >= self._numbers.batch_lines or self._size >= self._numbers.batch_bytes:
                await self._carry_out()

    async def _carry_out(self) -> None:
        """Decides about the lines that wait, and returns when Kafka has them. Raises `Refused`."""
        lines, size = self._waiting, self._size
        self._waiting, self._size = [], 0
        if not lines:
            return
        key = await self._door.gate.known(*self._credential)
        judged, found = await self._judged(lines, size, key)
        if not self._wanted.dry_run:
            await self._send(found)
            failpoints.reached("ingest.acknowledged")
            meters.count(one.decision for one in judged if one.decision is not None)
        for one in judged:
            self._tally.add(one)
        if self._wanted.each_rejected:
            await self._telling.rejected(
                {"line": one.line.number, "reason": one.reason} for one in judged if one.reason
            )
        await self._telling.reached(lines[-1].number)
        if self._tally.hopeless:
            raise Refused(422, "mostly-rejected", "nearly all lines are rejected: see `reasons`, and mend the file")

    async def _judged(self, lines: Sequence[Line], size: int, key: WriteKey) -> tuple[list[Judged], list[Message]]:
        """In a thread when they are many, one batch of all at a time: live requests go on."""
        if size <= _TOO_LONG_FOR_THE_LOOP:
            return self._judge(lines, key)
        async with self._door.bodies.large:
            return await asyncio.to_thread(self._judge, lines, key)

    def _judge(self, lines: Sequence[Line], key: WriteKey) -> tuple[list[Judged], list[Message]]:
        stamp = Stamp(key.source_id, key.trusted, self._door.clock.now(), rule=key.rule, mode="backfill")
        judged = [judge(line, stamp, self._door.policy.limits) for line in lines]
        found: list[Message] = []
        for line, decision in judged:
            if decision is not None:
                found += messages((decision,), stamp, f"{PATH}:{line.number}")
        return judged, found

    async def _send(self, found: list[Message]) -> None:
        """Waits for a broker that is away: at line 7 million a hiccup must not be the end. Raises `Refused` 503."""
        door, clock = self._door, self._door.clock
        until = clock.monotonic() + self._numbers.kafka_s
        while True:
            try:
                return await door.producer.send(found)
            except (Transient, Misconfigured) as wrong:
                if isinstance(wrong, Misconfigured) or clock.monotonic() >= until:
                    raise door.unstored(wrong, "lines cannot be stored now; go on later") from None
            await clock.sleep(_PAUSE_S)
