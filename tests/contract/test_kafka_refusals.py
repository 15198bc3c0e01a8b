"""What a broker refuses for good costs the one who sent it, and nobody else for long."""

from __future__ import annotations

import random

import pytest

from support.names import unique
from support.waiting import eventually
from tern_common.bus import Bus, Message
from tern_common.errors import Transient, Unusable
from tern_common.kafka import kafka_bus
from tern_common.topics import Topic

NOISE = random.Random(7).randbytes(100_000)  # does not compress


async def delivered(bus: Bus, message: Message) -> bool:
    """Whether it could be sent now; the producer may be being replaced."""
    try:
        await bus.producer.send([message], timeout_s=5)
    except Transient:
        return False
    return True


async def test_after_a_message_that_the_broker_refuses_the_partition_takes_others(kafka_bootstrap: str) -> None:
    narrow = unique("narrow")
    async with kafka_bus(kafka_bootstrap, "refused") as bus:
        await bus.log.create([Topic(narrow, 1, config={"max.message.bytes": "5000"})])
        await bus.producer.send([Message(narrow, b"k", b"before")])
        with pytest.raises(Unusable, match="message-too-large"):
            await bus.producer.send([Message(narrow, b"k", NOISE)])

        async def goes_through() -> bool:
            return await delivered(bus, Message(narrow, b"k", b"after"))

        await eventually(goes_through, 15, "a small message is taken")
        assert await bus.log.ends(narrow) == {0: 2}
