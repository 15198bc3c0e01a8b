"""Producers that do not do as they should."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from integration.triggers.shop import customer
from tern_common.bus import Message, Producer
from tern_common.clock import ManualClock, SystemClock
from tern_common.errors import Transient, Unusable
from tern_common.topics import REJECTED


class TakesNothingFrom:
    """A producer that can never send what a customer's key is on, as long as it is not on the rejected topic."""

    def __init__(self, producer: Producer, who: str, *, rejects_too: bool = False) -> None:
        self._producer = producer
        self._key = customer(who).encode()
        self._open = frozenset() if rejects_too else frozenset({REJECTED})

    async def send(self, messages: Sequence[Message], timeout_s: float = 5.0) -> None:
        if any(self._key in (m.key, dict(m.headers).get("key")) and m.topic not in self._open for m in messages):
            raise Unusable("message-too-large")
        await self._producer.send(messages, timeout_s)


class Died(Exception):
    """The process that was sending is gone."""


class DiesAfter:
    """The producer of a process that dies when the first of what it sends are out: none of them, some, or all."""

    def __init__(self, producer: Producer, count: int) -> None:
        self._producer = producer
        self._left = count

    async def send(self, messages: Sequence[Message], timeout_s: float = 5.0) -> None:
        going = messages[: self._left]
        self._left -= len(going)
        await self._producer.send(going, timeout_s)
        raise Died


class LacksALeader:
    """A broker that takes all but what is for the partitions of some customers: of a send it takes the others.

    `answers_late`: it does not say so before `give_up`, or before `recover`, when it takes them after all.
    """

    def __init__(self, producer: Producer, *who: str, answers_late: bool = False) -> None:
        self._producer = producer
        self._keys = {customer(one).encode() for one in who}
        self._answer = asyncio.Event()
        self.asked = 0
        if not answers_late:
            self._answer.set()

    def give_up(self) -> None:
        """Nothing came of whatever waits."""
        self._answer.set()

    def recover(self) -> None:
        """Takes everything from now on."""
        self._keys.clear()
        self._answer.set()

    async def send(self, messages: Sequence[Message], timeout_s: float = 5.0) -> None:
        if taken := [message for message in messages if message.key not in self._keys]:
            await self._producer.send(taken, timeout_s)
        if lost := [message for message in messages if message not in taken]:
            self.asked += 1
            await self._answer.wait()
            if any(message.key in self._keys for message in lost):
                raise Transient("kafka did not acknowledge in time")
            await self._producer.send(lost, timeout_s)


class RefusesTogether:
    """A broker that refuses whatever arrives in one turn with a customer's letter, and that alone as too large."""

    def __init__(self, producer: Producer, who: str) -> None:
        self._producer = producer
        self._key = customer(who).encode()
        self._open: list[Message] = []

    async def send(self, messages: Sequence[Message], timeout_s: float = 5.0) -> None:
        batch = self._open
        batch.extend(messages)
        await SystemClock().sleep(0)
        self._open = []
        if any(one.key == self._key and one.topic != REJECTED for one in batch):
            raise Unusable("message-too-large") if len(batch) == 1 else Transient("refused together")
        await self._producer.send(messages, timeout_s)


class Elsewhere:
    """A producer that writes letters on a topic of the test's own. `refused`: how many sends came to nothing."""

    def __init__(self, producer: Producer, topic: str) -> None:
        self._producer = producer
        self._topic = topic
        self.refused = 0

    async def send(self, messages: Sequence[Message], timeout_s: float = 5.0) -> None:
        try:
            await self._producer.send([one._replace(topic=self._topic) for one in messages], timeout_s)
        except Transient:
            self.refused += 1
            raise


class AnswersNobody:
    """A broker that is away: each send ends when its time is over. `tries`: how many began."""

    def __init__(self, clock: ManualClock, timeout: timedelta) -> None:
        self._clock = clock
        self._over = clock.monotonic() + timeout.total_seconds()
        self._timeout = timeout
        self.tries = 0

    async def send(self, messages: Sequence[Message], timeout_s: float = 5.0) -> None:  # noqa: ARG002 - by the clock
        self.tries += 1
        await SystemClock().sleep(0)
        if self._clock.monotonic() < self._over:
            self._clock.advance(self._timeout)
        raise Transient("kafka did not acknowledge in time")
