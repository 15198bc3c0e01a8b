"""aiokafka's consumer, but for how it ends: whole, and never unnoticed.

A stop that is cut short, since a broker hangs or a cancelled task of its own is let out, leaves its other tasks and its
connections behind for good: they fetch, ask for metadata and try heartbeats beside those of the next one. And nobody is
told when a task ends that reading rests on: a member would stay in its group, or a tail wait, and read nothing any
more. Knows no topic and no group.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError


class Reader(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    """Raises `KafkaError` where reading would wait for a task that has ended."""

    async def stop(self) -> None:
        try:
            await super().stop()
        finally:
            self._leave_nothing()

    def getmany(self, *wanted: Any, **options: Any) -> Any:
        self._check()
        return super().getmany(*wanted, **options)

    def position(self, *at: Any) -> Any:
        self._check()
        return super().position(*at)

    def _check(self) -> None:
        """Of one that is stopped aiokafka says so itself."""
        resting_on = (self._fetcher.error_future, vars(self._client)["_sync_task"])
        if not self._closed and any(task.done() for task in resting_on):
            raise KafkaError("a task that reading rests on has ended")

    def _leave_nothing(self) -> None:
        for task in tuple(self._tasks()):
            task.cancel()
        for connection in tuple(vars(self._client)["_conns"].values()):
            connection.close()

    def _tasks(self) -> Iterator[asyncio.Task[Any]]:
        for owner in filter(None, (self._coordinator, self._fetcher, self._client)):
            own = vars(owner)
            yield from own.get("_pending_tasks", ())
            yield from (task for task in own.values() if isinstance(task, asyncio.Task))
