"""Many customers who fall due within one second, among a million who do not, beside a stream of events.

They have carts of an hour ago and the shipped rule decides about them. The clock runs from the end of that second,
when the last of them may be decided, until all are: safe time, which is a second behind, is in it.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from load import calls, stored_agenda, traffic
from load.drain_bench import PERSONS
from load.rig import CONSUMERS, LOOK_S, Rig, load, shares
from tern_common.clock import SystemClock
from tern_common.db import Connection
from tern_common.kafka import kafka_bus
from tern_common.topics import RESOLVED, triggers_topic
from tern_local.folder import Folder
from tern_local.platform import open_platform
from tern_local.supervisor import Say

POLICY = """\
version: 1
slot: 1s
"""
"""So that nobody waits for the end of a minute; all else is as shipped."""
STORED = 1_000_000
DUE = 10_000
RATE = 1_000.0
BATCH = 20
CONNECTIONS = 8
WARM_S, WINDOW_S, AFTER_S = 4.0, 5.0, 8.0
SENDING_S = WARM_S + WINDOW_S + AFTER_S
LEAD_S = 8.0
LIMIT_S = 60.0
GRACE = timedelta(minutes=5)
AFTER = timedelta(hours=1)
"""Of the shipped policy, and of the first step of the shipped rule."""
AIM_S = 5.0
AIM_RATIO = 0.8


class Passed(NamedTuple):
    """Seconds until all were decided and until their triggers stood on Kafka, how many fired, and the stream's records
    that were taken in, in the window before and in the one from the moment they were due."""

    decided_s: float
    published_s: float
    fired: int
    before: int
    beside: int


async def measure(say: Say, stored: int = STORED) -> list[dict[str, object]]:
    """Two rows: how long it takes, and what it costs those who do not wait for it. On a platform of its own."""
    async with _platform(say) as rig:
        await rig.only()
        say(f"an agenda of {stored:,} rows")
        await stored_agenda.fill(rig, stored, rig.clock.now() + timedelta(days=30))
        await rig.only(*CONSUMERS)
        await rig.drained()
        say(f"{DUE:,} more, due in one second")
        begun, own = rig.usage(), rig.by_process()
        async with stored_agenda.connected(rig) as conn:
            passed = await _pass(rig, conn, stored)
        used, each = rig.usage().since(begun), shares(own, rig.by_process(), DUE)
    return [
        {
            "what": f"{DUE:,} due in one second among {stored:,}, {RATE:,.0f} events/s beside them",
            "figure": f"all decided {passed.decided_s:.1f} s after it, {passed.fired:,} triggers on Kafka after "
            f"{passed.published_s:.1f} s; of each and the stream: {each}",
            "aim": f"{AIM_S:.0f} s",
            **used.disturbance(),
        },
        {
            "what": f"the stream in the {WINDOW_S:.0f} s from then, and in those before",
            "figure": f"{passed.beside / WINDOW_S:,.0f} events/s",
            "floor": f"{passed.before / WINDOW_S:,.0f} events/s",
            "ratio": round(passed.beside / passed.before, 2),
            "aim": AIM_RATIO,
            **used.disturbance(),
        },
    ]


@asynccontextmanager
async def _platform(say: Say) -> AsyncIterator[Rig]:
    with tempfile.TemporaryDirectory(prefix="tern-bench-") as home:
        async with (
            Folder(Path(home, "data")) as folder,
            open_platform(folder, say, environment={"triggers": _configuration(Path(home))}) as platform,
            kafka_bus(platform.kafka, "bench") as bus,
        ):
            yield Rig(platform, bus, SystemClock())


def _configuration(home: Path) -> dict[str, str]:
    """The policy as a file, and the variable that names it."""
    policy = home / "policy.yaml"
    policy.write_text(POLICY)
    return {"TERN_POLICY_FILE": str(policy)}


async def _pass(rig: Rig, conn: Connection, stored: int) -> Passed:
    now = rig.clock.now()
    due = now.replace(microsecond=0) + timedelta(seconds=LEAD_S + WARM_S + WINDOW_S)
    topic, published = triggers_topic("cart"), await rig.ends(triggers_topic("cart"))
    await stored_agenda.add_due(rig, stored + 1, DUE, due - AFTER - GRACE, due)
    await _until(rig, due - timedelta(seconds=WARM_S + WINDOW_S))
    sending = asyncio.ensure_future(_stream(rig))
    await _until(rig, due - timedelta(seconds=WINDOW_S))
    counts = [await stored_agenda.taken_in(conn, RESOLVED)]
    await _until(rig, due)
    counts.append(await stored_agenda.taken_in(conn, RESOLVED))
    window = asyncio.ensure_future(_taken_in_at(rig, due + timedelta(seconds=WINDOW_S)))
    end = due + timedelta(seconds=1)
    decided_s = await _decided_after(rig, conn, end)
    fired = (await stored_agenda.decided(conn)).fired
    async with asyncio.timeout(LIMIT_S):
        while await rig.ends(topic) - published < fired:
            await rig.clock.sleep(LOOK_S)
    published_s = (rig.clock.now() - end).total_seconds()
    counts.append(await window)
    await sending
    await rig.drained()
    if await rig.ends(topic) - published != fired:
        raise AssertionError(f"{fired} fired, {await rig.ends(topic) - published} published")
    return Passed(decided_s, published_s, fired, counts[1] - counts[0], counts[2] - counts[1])


async def _stream(rig: Rig) -> None:
    """The usual traffic, at a rate that leaves time to breathe."""
    count = int(RATE * SENDING_S)
    events = traffic.events(seed=8, count=count, end=rig.clock.now(), persons=PERSONS)
    requests = b"\0".join(calls.batches(events, BATCH, rig.platform.write_keys["server"]))
    await load(rig.ingest_port, CONNECTIONS, SENDING_S, RATE / BATCH, requests)


async def _taken_in_at(rig: Rig, moment: datetime) -> int:
    await _until(rig, moment)
    async with stored_agenda.connected(rig) as conn:
        return await stored_agenda.taken_in(conn, RESOLVED)


async def _decided_after(rig: Rig, conn: Connection, end: datetime) -> float:
    """Seconds from `end` until all who are due are decided. Raises `AssertionError` when that takes too long."""
    while (found := await stored_agenda.decided(conn)).all < DUE:
        late_s = (rig.clock.now() - end).total_seconds()
        if late_s > LIMIT_S:
            raise AssertionError(f"{found.all:,} of {DUE:,} decided after {late_s:.0f} s")
        await rig.clock.sleep(4 * LOOK_S)  # counting them takes the database 4 ms
    return (rig.clock.now() - end).total_seconds()


async def _until(rig: Rig, moment: datetime) -> None:
    await rig.clock.sleep(max(0.0, (moment - rig.clock.now()).total_seconds()))
