"""Producers that do not do as they should."""

from __future__ import annotations

from collections.abc import Sequence

from integration.triggers.shop import customer
from tern_common.bus import Message, Producer
from tern_common.errors import Unusable
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
        self._count = count

    async def send(self, messages: Sequence[Message], timeout_s: float = 5.0) -> None:
        await self._producer.send(messages[: self._count], timeout_s)
        raise Died
