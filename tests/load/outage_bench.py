"""Broker, its disk or the database away: what is answered meanwhile, and that nothing acknowledged is lost.

One event each 20 ms, each a request of its own, before, during and after. A disk is full for real: Kafka's folder is a
small file system of its own, which takes root to mount; without that the row says so.
"""

from __future__ import annotations

import errno
import subprocess
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path

from load.rig import Rig
from support.processes import frozen
from support.steady import Answer, steady
from tern_common.clock import SystemClock
from tern_common.kafka import kafka_bus
from tern_local.folder import Folder
from tern_local.platform import open_platform
from tern_local.supervisor import Say

SECONDS = 60
EVERY_S = 0.02
AIM = "503 within 2 s, nothing lost"
_DISK_MB = 256
_PIECE = bytes(64 * 1024)

Outage = Callable[[Rig], AbstractAsyncContextManager[None]]


async def measure(say: Say, seconds: int = SECONDS) -> list[dict[str, object]]:
    """A row for each, from a platform of its own. Raises when something acknowledged is not on Kafka."""
    with tempfile.TemporaryDirectory(prefix="tern-bench-") as home, _disk(Path(home, "kafka")) as is_small:
        async with (
            Folder(Path(home)) as folder,
            open_platform(folder, say) as platform,
            kafka_bus(platform.kafka, "bench") as bus,
        ):
            rig = Rig(platform, bus, SystemClock())
            rows = [await _row(rig, name, outage, seconds) for name, outage in OUTAGES.items()]
            name = "disk of the broker full"
            if not is_small:
                return [
                    *rows,
                    {"what": f"{name} for {seconds} s", "figure": "not measured: mounting a small disk takes root"},
                ]
            return [*rows, await _row(rig, name, _full, seconds)]


async def _row(rig: Rig, name: str, outage: Outage, seconds: float) -> dict[str, object]:
    clock, url = rig.clock, rig.platform.services["ingest"]
    async with steady(url, rig.platform.write_keys["server"], EVERY_S) as shop:
        begun = clock.monotonic()
        async with outage(rig):
            await clock.sleep(seconds)
            answers, given_back = list(shop.since(begun)), clock.monotonic()
        back = clock.monotonic()
        await shop.hears(200)
        well = min(one.asked_at + one.seconds for one in shop.since(given_back) if one.status == 200)
    acknowledged, lost = sum(one.status == 200 for one in shop.answers), await shop.lost(rig.bus)
    if lost:
        raise AssertionError(f"{name}: {len(lost)} of {acknowledged} acknowledged events are lost")
    return {
        "what": f"{name} for {seconds} s",
        "figure": f"{_said(answers)}; 200 again {max(0.0, well - back):.1f} s after it was up; {acknowledged:,} "
        "acknowledged, all on Kafka",
        "aim": AIM,
    }


def _said(answers: Sequence[Answer]) -> str:
    """How often each answer was given, and the slowest of it."""
    counts = Counter((one.status, one.code, one.retry_after) for one in answers)
    slowest = {kind: max(one.seconds for one in answers if _kind(one) == kind) for kind in counts}
    return ", ".join(
        f"{count:,} × {' '.join(map(str, filter(None, kind)))} in at most {slowest[kind]:.2f} s"
        for kind, count in counts.most_common()
    )


def _kind(answer: Answer) -> tuple[int, str, str]:
    return answer.status, answer.code, answer.retry_after


@asynccontextmanager
async def _hung(rig: Rig) -> AsyncIterator[None]:
    with frozen(rig.platform.supervisor.pids()["kafka"]):
        yield


@asynccontextmanager
async def _stopped(rig: Rig, name: str) -> AsyncIterator[None]:
    await rig.platform.supervisor.rest(name, patience_s=0)
    yield
    await rig.platform.supervisor.wake(rig.platform.servers[name])


@asynccontextmanager
async def _full(rig: Rig) -> AsyncIterator[None]:
    """The broker's supervisor starts it again and again meanwhile."""
    filler = rig.platform.folder / "kafka" / "filler"
    with filler.open("wb", buffering=0) as file:
        _fill(file.write)
    yield
    filler.unlink()
    while not await rig.platform.servers["kafka"].is_ready():
        await rig.clock.sleep(EVERY_S)


def _fill(write: Callable[[bytes], object]) -> None:
    """Until nothing more goes in."""
    try:
        while True:
            write(_PIECE)
    except OSError as full:
        if full.errno != errno.ENOSPC:
            raise


@contextmanager
def _disk(folder: Path) -> Iterator[bool]:
    """Whether there is a small file system at the folder."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MB}m,mode=700", "tern-bench", str(folder)]
    mounted = subprocess.run(words, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)


OUTAGES: dict[str, Outage] = {
    "broker hung": _hung,
    "broker dead": lambda rig: _stopped(rig, "kafka"),
    "PostgreSQL dead": lambda rig: _stopped(rig, "postgres"),
}
