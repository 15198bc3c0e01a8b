"""A loop that stands while nothing passes stays a member, and gives up what is dealt to another (ADR 30)."""

from __future__ import annotations

from contextlib import AsyncExitStack

from contract.conftest import Platform
from contract.reading import TIMEOUT_S, messages, numbers
from support.running import running
from support.waiting import eventually
from tern_common.bus import Bus, Record
from tern_common.clock import SystemClock
from tern_common.consume import Batch, consume
from tern_common.fetching import Pacing
from tern_common.rejecting import Rejecting

COUNT = 40


class Hasty(SystemClock):
    """A minute passes in less than a second."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(min(seconds, 0.01))


class Release:
    """A handler that errs about everything until it is mended."""

    def __init__(self, mended: bool) -> None:
        self.mended = mended
        self.tries = 0
        self.applied: list[str] = []

    def decode(self, record: Record) -> str:
        return record.value.decode()

    async def apply(self, batch: Batch[str]) -> None:
        self.tries += 1
        if not self.mended:
            raise ZeroDivisionError
        self.applied += batch.items


async def read(bus: Bus, group: str, topic: str, release: Release) -> None:
    consumer = await bus.subscribe(group, [topic])
    await consume(consumer, release, Rejecting(bus.producer, "identity"), Hasty(), pace=Pacing(100, stands=True))


async def test_a_loop_that_stands_shares_its_partitions_with_another_and_nothing_is_skipped(
    platform: Platform, processes: AsyncExitStack, bus: Bus, topic: str, group: str
) -> None:
    await bus.producer.send(messages(topic, numbers(0, COUNT), keys=COUNT))
    this, following = Release(mended=False), Release(mended=True)
    other = await processes.enter_async_context(platform.open())

    async def committed() -> int:
        return sum((await bus.log.committed(group, topic)).values())

    async def has_its_share() -> bool:
        return 0 < await committed() == len(set(following.applied))

    async def all_in() -> bool:
        return await committed() == COUNT

    async with running(read(bus, group, topic, this)):
        await eventually(lambda: this.tries > 2 * COUNT, TIMEOUT_S, "it stands")
        async with running(read(other, group, topic, following)):
            await eventually(has_its_share, TIMEOUT_S, "the next release has what it was dealt")
            tried = this.tries
            await eventually(lambda: this.tries > tried + COUNT, TIMEOUT_S, "this one stands on")
            assert 0 < await committed() < COUNT
            this.mended = True
            await eventually(all_in, TIMEOUT_S, "all is committed")
    assert len({*this.applied, *following.applied}) == COUNT
