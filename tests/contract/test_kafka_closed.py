"""A connection that ends under a write: the client goes on, on uvloop too, whose closed transports raise an error of
their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import uvloop
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from tern_common.clock import SystemClock
from tern_common.kafka.connection import Connection, KafkaSecurity


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_client_outlives_a_connection_that_ends_under_its_write(
    kafka_bootstrap: str, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """Its task that keeps metadata would have ended otherwise: who commits, or asks who leads, waits for ever then."""

    clock = SystemClock()

    async def story() -> bool:
        client = AIOKafkaClient(**Connection(kafka_bootstrap, "closed", KafkaSecurity(), clock).options())
        await client.bootstrap()
        try:
            assert await client.ready(client.get_random_node())
            for connection in tuple(client._conns.values()):
                connection._writer.transport.abort()
                await clock.sleep(0)  # closed, and aiokafka has not been told yet
                with pytest.raises(KafkaConnectionError):
                    await connection.send(MetadataRequest([]))
            async with asyncio.timeout(10):
                return bool(await client.force_metadata_update())
        finally:
            await client.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(story())
