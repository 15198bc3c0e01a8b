"""What the Kafka bus does while no broker answers: it says so soon, holds little, and closes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from support.waiting import eventually
from tern_common.bus import Bus, Message
from tern_common.clock import SystemClock
from tern_common.errors import Misconfigured, Transient, Unusable
from tern_common.kafka import KafkaSecurity, kafka_bus
from tern_common.kafka import bus as opened
from tern_common.kafka.connection import Connection
from tern_common.topics import EVENTS, REJECTED

MEGABYTE = 1024 * 1024
Call = Callable[[Bus], Awaitable[object]]


@pytest.fixture
def nowhere() -> str:
    """An address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.mark.parametrize(
    "call",
    [
        lambda bus: bus.producer.send([Message(EVENTS, b"k", b"v")], timeout_s=0.3),
        lambda bus: bus.log.ends(EVENTS),
        lambda bus: bus.log.committed("g", EVENTS),
        lambda bus: bus.log.shapes(),
        lambda bus: bus.subscribe("g", [EVENTS]),
    ],
)
async def test_every_call_says_that_it_may_succeed_later(nowhere: str, call: Call) -> None:
    async with asyncio.timeout(5), kafka_bus(nowhere, "away") as bus:
        with pytest.raises(Transient):
            await call(bus)


@pytest.fixture
async def mute() -> AsyncIterator[tuple[str, list[asyncio.StreamWriter]]]:
    """An address that answers nothing, and who has come."""
    come: list[asyncio.StreamWriter] = []
    async with await asyncio.start_server(lambda _, writer: come.append(writer), "127.0.0.1", 0) as listening:
        yield "127.0.0.1:{1}".format(*listening.sockets[0].getsockname()), come
        for writer in come:
            writer.close()


async def test_a_tail_whose_start_is_not_answered_begins_again(
    mute: tuple[str, list[asyncio.StreamWriter]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, come = mute
    monkeypatch.setattr(opened, "TAIL_START_TIMEOUT_S", 0.05)
    async with kafka_bus(address, "away") as bus, aclosing(bus.tail(EVENTS)) as records:
        reading = asyncio.ensure_future(anext(records))
        await eventually(lambda: len(come) > 3, 5, "it has begun again")  # a client may connect twice
        reading.cancel()
        await asyncio.wait((reading,))


async def test_what_is_sent_in_vain_is_bounded_and_then_refused_at_once(nowhere: str) -> None:
    async with kafka_bus(nowhere, "away") as bus:
        parcel = [Message(REJECTED, b"k", bytes(8 * MEGABYTE))]
        clock = SystemClock()

        async def attempt() -> float:
            begun = clock.monotonic()
            with pytest.raises(Transient):
                await bus.producer.send(parcel, timeout_s=1.5)
            return clock.monotonic() - begun

        took = await asyncio.gather(*(attempt() for _ in range(20)))
        at_once = [seconds for seconds in took if seconds < 1]
        assert len(at_once) == 13  # seven parcels fit into 64 MiB
        assert len(await asyncio.gather(*(attempt() for _ in range(7)))) == 7  # and they are not held for ever
        assert min([await attempt()]) > 1


async def test_a_message_that_no_broker_would_take_is_refused_before_it_is_sent(nowhere: str) -> None:
    async with kafka_bus(nowhere, "away") as bus:
        with pytest.raises(Unusable, match="message-too-large"):
            await bus.producer.send([Message(EVENTS, b"k", bytes(MEGABYTE))])


async def test_it_closes_soon_although_something_is_on_its_way(nowhere: str) -> None:
    clock = SystemClock()
    async with asyncio.TaskGroup() as group:
        async with kafka_bus(nowhere, "away") as bus:
            sending = group.create_task(bus.producer.send([Message(EVENTS, b"k", b"v")], timeout_s=60))
            await clock.sleep(0)
            begun = clock.monotonic()
        assert clock.monotonic() - begun < 5
        sending.cancel()


async def test_what_cannot_be_read_from_settings_is_an_operators_matter(nowhere: str) -> None:
    security = KafkaSecurity("SASL_SSL", username="tern", password="secret", ca_file=Path("/nowhere/ca.pem"))
    with pytest.raises(Misconfigured, match="CA file"):
        async with kafka_bus(nowhere, "away", security):
            pass
    assert "secret" not in repr(security)


def test_a_user_and_its_mechanism_are_passed_on() -> None:
    security = KafkaSecurity("SASL_SSL", username="tern", password="secret")
    options = Connection("a:1, b:2", "me", security, SystemClock()).options()
    assert options["bootstrap_servers"] == ["a:1", "b:2"]
    assert options["security_protocol"] == "SASL_SSL"
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("tern", "secret")
    assert options["ssl_context"].check_hostname
