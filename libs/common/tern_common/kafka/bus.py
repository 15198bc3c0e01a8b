"""The Kafka bus: one producer, one log, as many consumers as are subscribed, opened and closed together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from tern_common.bus import ALL, Record
from tern_common.clock import Clock, SystemClock
from tern_common.kafka.connection import Connection, KafkaSecurity, closed
from tern_common.kafka.consumer import UNHURRIED, KafkaConsumer
from tern_common.kafka.log import KafkaLog
from tern_common.kafka.producer import KafkaProducer
from tern_common.kafka.reader import Reader
from tern_common.logs import logger

_TAIL_WAIT_MS = 1_000
_TAIL_RETRY_S = 0.5
TAIL_START_TIMEOUT_S = 30.0
"""As long as joining a group may take: whatever it waits for, a new reader does not."""


@asynccontextmanager
async def kafka_bus(
    bootstrap: str, client_id: str, security: KafkaSecurity | None = None, clock: Clock | None = None
) -> AsyncIterator[KafkaBus]:
    """Opens at once, whether or not a broker answers: what needs one raises `Transient` until it does.

    `bootstrap`: `host:port`, comma-separated. `clock` only waits. Closes within five seconds. Raises `Misconfigured`.
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it logs every retry; ours say it once
    connection = Connection(bootstrap, client_id, security or KafkaSecurity(), clock or SystemClock())
    connection.options()
    failed: BaseException | None = None
    async with asyncio.TaskGroup() as tasks:
        bus = KafkaBus(connection, tasks)
        try:
            yield bus
        except BaseException as error:  # noqa: BLE001 - raised again below: a TaskGroup would wrap it
            failed = error
        await bus.close()
    if failed is not None:
        raise failed


class KafkaBus:
    """`bus.Bus`; made by `kafka_bus`."""

    def __init__(self, connection: Connection, tasks: asyncio.TaskGroup) -> None:
        self._connection = connection
        self._tasks: set[asyncio.Task[None]] = set()
        self._group = tasks
        self._consumers: list[KafkaConsumer] = []
        self._producer = KafkaProducer(connection, self._spawn)
        self._log = KafkaLog(connection)

    @property
    def producer(self) -> KafkaProducer:
        return self._producer

    @property
    def log(self) -> KafkaLog:
        return self._log

    async def subscribe(self, group: str, topics: Sequence[str], *, unhurried: bool = False) -> KafkaConsumer:
        options = UNHURRIED if unhurried else {}
        consumer = KafkaConsumer(self._connection, group, topics, options=options)
        await consumer.join()
        self._consumers.append(consumer)
        return consumer

    async def tail(
        self, topic: str, from_start: bool = True, starts: Mapping[int, int] = ALL
    ) -> AsyncGenerator[Record, None]:
        nexts = {TopicPartition(topic, partition): offset for partition, offset in starts.items()}
        while True:
            client = Reader(
                topic, auto_offset_reset="earliest" if from_start else "latest", **self._connection.options()
            )
            try:
                async with asyncio.timeout(TAIL_START_TIMEOUT_S):
                    await client.start()
                for at, offset in nexts.items():
                    client.seek(at, offset)
                dealt = client.assignment()
                while True:
                    polled = await client.getmany(timeout_ms=_TAIL_WAIT_MS)
                    if client.assignment() is not dealt:  # the topic has grown: aiokafka reads all of it from the start
                        break
                    for at, found in polled.items():
                        for one in found:
                            yield one
                        nexts[at] = found[-1].offset + 1
            except (KafkaError, OSError) as wrong:
                logger.info("kafka tail starts again", topic=topic, error=type(wrong).__name__)
            finally:
                await closed("reader", client.stop())
            await self._connection.clock.sleep(_TAIL_RETRY_S)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Leaves groups and drops what is not acknowledged; bounded in time."""
        for task in tuple(self._tasks):
            task.cancel()
        leaving = [consumer.leave() for consumer in self._consumers]
        await asyncio.gather(*leaving, self._producer.close(), self._log.close())
