"""Good traffic beside bad: what strangers send costs those who send what they should at most twice their p99.

A round is the good traffic alone and then beside the attack, one straight after the other; of three the middle one
counts. The attackers are a process of their own that sends ten times as much as the good ones, and no more. It shares
the cores: so a third part of each round has them ask the no-op instead, which shows what such a client takes from the
good ones wherever it knocks. The rate that was reached stands beside each figure, and what one request of the attack
took of ingest's CPU (`service_us`).
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from load import memory
from load.flood import HALVES
from load.ingest_bench import noop, request
from load.rig import VOID_ABOVE_CORES, Loaded, Rig, try_load
from support.processes import descendants
from tern_common.clock import SystemClock
from tern_common.kafka import kafka_bus
from tern_common.topics import EVENTS
from tern_local.folder import Folder
from tern_local.platform import open_platform
from tern_local.supervisor import Say

GOOD_RATE, GOOD_CONNECTIONS = 300.0, 32
SECONDS, ROUNDS = 4.0, 3
WARM_UP_S = 6.0
TIMES = 10
AIM_P99, AIM_MEMORY = 2.0, 1.5
KEYS = 1_000_000
_LIMIT_S = 300.0
_PROXY = {"TERN_TRUSTED_PROXIES": "127.0.0.0/8"}
_BEYOND_S = 1.5
"""So long the flood outlasts the good traffic, whose process takes a while to start."""


class Attack(NamedTuple):
    """What `load.flood` is to do. `rate`: a second; those that are too heavy for ten times the good rate say less."""

    name: str
    kind: str
    connections: int
    rate: float = TIMES * GOOD_RATE


ATTACKS = (
    Attack("wrong keys from one address", "wrong_secrets", 64),
    Attack("wrong keys, an address each", "wrong_secrets_everywhere", 64),
    Attack("keys never given out, an address each", "unknown_keys", 512),
    Attack("1,000 half requests, byte by byte", HALVES, 1_000),
    Attack("nests under a browser's key", "nests", 8, 20),
    Attack("zip bombs under a browser's key", "bombs", 8, 20),
    Attack("packed nests that have to be mended under a browser's key", "brackets", 8, 20),
    Attack("objects of a million names under a browser's key", "many_members", 8, 20),
)


class Flooded(NamedTuple):
    """What an attack came to: a second, and how often each answer was given."""

    rate: float
    answers: str


class Half(NamedTuple):
    """Of a round: the good traffic, what ingest held at most (MB), cores that ingest and that others used."""

    found: Loaded
    peak_mb: float
    cores: float
    foreign_cores: float


class Round(NamedTuple):
    """The good traffic alone, beside the attack, and beside the same attack on somebody else."""

    alone: Half
    beside: Half
    flooded: Flooded
    elsewhere: Half

    @property
    def ratio(self) -> float:
        return self.beside.found["p99_ms"] / self.alone.found["p99_ms"]

    @property
    def ratio_elsewhere(self) -> float:
        """What the attackers' own process does to the good ones."""
        return self.elsewhere.found["p99_ms"] / self.alone.found["p99_ms"]

    @property
    def cpu_us(self) -> float:
        """That ingest spent on one request of the attack."""
        return (self.beside.cores - self.alone.cores) / self.flooded.rate * 1e6

    @property
    def foreign_cores(self) -> float:
        return max(half.foreign_cores for half in (self.alone, self.beside, self.elsewhere))


async def measure(say: Say) -> list[dict[str, object]]:
    """Two rows for each attack, from a platform of its own. Raises when something acknowledged is not stored."""
    async with _platform(say) as rig, noop() as elsewhere:
        await rig.only()
        await _good(rig, WARM_UP_S)
        usual_mb = (await _good(rig, SECONDS)).peak_mb
        rows = []
        for attack in ATTACKS:
            say(attack.name)
            rows += _rows(attack, [await _round(rig, attack, elsewhere) for _ in range(ROUNDS)], usual_mb)
            say(", ".join(f"{row['ratio']} ({row['figure']})" for row in rows[-2:]))
        say(f"{KEYS:,} keys")
        return [*rows, await _all_keys(rig, usual_mb)]


async def _round(rig: Rig, attack: Attack, elsewhere: int) -> Round:
    alone = await _good(rig, SECONDS)
    beside, flooded = await _beside(rig, attack, rig.ingest_port)
    other, _ = await _beside(rig, attack, elsewhere)
    return Round(alone, beside, flooded, other)


async def _beside(rig: Rig, attack: Attack, port: int) -> tuple[Half, Flooded]:
    """The good traffic while somebody floods this port."""
    async with _flood(rig, attack, port) as process:
        return await _good(rig, SECONDS), await _ended(process)


async def _good(rig: Rig, seconds: float) -> Half:
    """Good traffic in an open loop; what of it was answered 200 stands on Kafka."""
    pids, before = _ingest(rig), await rig.ends(EVENTS)
    memory.forget_peaks(pids)
    begun, cpu_before = rig.usage(), rig.by_process()["ingest"]
    template = request(1, rig.platform.write_keys["server"])
    found = await try_load(rig.ingest_port, GOOD_CONNECTIONS, seconds, GOOD_RATE, template)
    used, spent = rig.usage().since(begun), rig.by_process()["ingest"] - cpu_before
    stored = await rig.ends(EVENTS) - before
    if stored < found["ok"]:
        raise AssertionError(f"{found['ok']} events acknowledged, {stored} stored")
    return Half(found, memory.peak_mb(pids), spent / used.at, max(0.0, used.machine - used.own) / used.at)


@asynccontextmanager
async def _flood(rig: Rig, attack: Attack, port: int, *, most: int = 0) -> AsyncIterator[asyncio.subprocess.Process]:
    """The attackers' process, once they are connected; ended with the block."""
    seconds = _LIMIT_S if most else SECONDS + _BEYOND_S
    numbers = (attack.connections, seconds, attack.rate, most, rig.platform.write_keys["browser"])
    words = [sys.executable, "-m", "load.flood", str(port), attack.kind, *map(str, numbers)]
    process = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[1]
    )
    assert process.stdout
    try:
        await process.stdout.readline()
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _ended(process: asyncio.subprocess.Process) -> Flooded:
    printed, _ = await process.communicate()
    found = json.loads(printed)
    answers: dict[str, int] = found["statuses"]
    said = ", ".join(f"{count:,} × {what}" for what, count in sorted(answers.items()))
    asked = answers.get("bytes") or sum(answers.values())
    return Flooded(asked / found["seconds"], said)


def _ingest(rig: Rig) -> Sequence[int]:
    """The supervisor and its workers."""
    pid = rig.platform.supervisor.pids()["ingest"]
    return sorted({pid, *descendants(pid)})


def _rows(attack: Attack, rounds: list[Round], usual_mb: float) -> list[dict[str, object]]:
    calm = [one for one in rounds if one.foreign_cores <= VOID_ABOVE_CORES]
    ranked = sorted(calm or rounds, key=lambda one: one.ratio)
    middle = ranked[len(ranked) // 2]
    latency, alone = middle.beside.found, middle.alone.found
    what = f"good traffic at {GOOD_RATE:.0f} req/s beside {attack.name}"
    verdict = {"foreign_cores": round(middle.foreign_cores, 2), "void": "" if calm else "disturbed"}
    return [
        {
            "what": what,
            "figure": f"p50 {latency['p50_ms']:.1f} ms, p99 {latency['p99_ms']:.1f} ms, {latency['failed']} refused; "
            f"{middle.flooded.rate:,.0f}/s: {middle.flooded.answers}",
            "floor": f"p50 {alone['p50_ms']:.1f} ms, p99 {alone['p99_ms']:.1f} ms; {middle.ratio_elsewhere:.2f} times "
            "that while the same flood asks a no-op",
            "ratio": round(middle.ratio, 2),
            "aim": f"at most {AIM_P99}",
            "p99_ms": round(latency["p99_ms"], 1),
            "service_us": round(statistics.median(one.cpu_us for one in rounds)),
            **verdict,
        },
        _memory_row(f"memory of ingest beside {attack.name}", max(one.beside.peak_mb for one in rounds), usual_mb),
    ]


def _memory_row(what: str, peak: float, usual: float) -> dict[str, object]:
    """`usual`: with good traffic alone, before the first attack."""
    return {
        "what": what,
        "figure": f"{peak:,.0f} MB at most",
        "floor": f"{usual:,.0f} MB",
        "ratio": round(peak / usual, 2),
        "aim": f"at most {AIM_MEMORY}",
    }


async def _all_keys(rig: Rig, usual_mb: float) -> dict[str, object]:
    """A million keys, each from an address of its own, as fast as they are answered."""
    pids = _ingest(rig)
    memory.forget_peaks(pids)
    attack = Attack("", "wrong_secrets_everywhere", 64, 0)
    async with _flood(rig, attack, rig.ingest_port, most=KEYS) as process:
        flooded = await _ended(process)
    peak = memory.peak_mb(pids)
    what = f"memory of ingest after {KEYS:,} different keys and addresses ({flooded.rate:,.0f}/s: {flooded.answers})"
    return _memory_row(what, peak, usual_mb)


@asynccontextmanager
async def _platform(say: Say) -> AsyncIterator[Rig]:
    with tempfile.TemporaryDirectory(prefix="tern-bench-") as home:
        async with (
            Folder(Path(home)) as folder,
            open_platform(folder, say, environment={"ingest": _PROXY}) as platform,
            kafka_bus(platform.kafka, "bench") as bus,
        ):
            yield Rig(platform, bus, SystemClock())
