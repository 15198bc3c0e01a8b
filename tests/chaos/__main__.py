"""`make chaos ARGS="--minutes 10 --seed 7"`: kills whatever can be killed, and checks what is left of it.

The seed fixes what households do, who is killed in which order, and which failpoints are armed in which order; what
meets what is the machine's. With `--workers 2` whoever reaches a failpoint is one of two. Ends with 0 when nothing is
wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from chaos import shop_rules
from chaos.checks import Findings, check
from chaos.collecting import collect
from chaos.evidence import Evidence
from chaos.killing import Deaths, Trouble
from chaos.sending import Clients
from chaos.watching import Watch
from tern_common.clock import SystemClock
from tern_local.folder import Folder
from tern_local.platform import Platform, open_platform

AROUND_S = 90.0
"""What starting, coming to rest and checking take."""
LEAST_S = 20.0
LAST_LIVES_S = 12.0
"""Nobody begins so shortly before the end of trouble: what people do afterwards proves little."""
SHOWN = 40
_RESTARTS_S = 0.5


def say(line: str) -> None:
    """Progress, for a person."""
    sys.stdout.write(f"  · {line}\n")
    sys.stdout.flush()


async def main(minutes: float, seed: int, workers: int, data: Path) -> Findings:
    """One run on a fresh platform."""
    seconds = max(LEAST_S, minutes * 60 - AROUND_S)
    shop_rules.write(data / "shop")
    failpoints = data / "failpoints"
    failpoints.mkdir()
    deaths, clients = Deaths(), None
    async with (
        Folder(data / "platform") as folder,
        open_platform(
            folder, deaths.say, environment=shop_rules.environment(data / "shop", failpoints, workers)
        ) as platform,
    ):
        say(f"the platform stands; {seconds:.0f} s of trouble")
        platform.supervisor.longest_pause_s = _RESTARTS_S
        clients = Clients(platform.services["ingest"], platform.write_keys["server"], seed)
        watch = Watch(platform.postgres)
        trouble = Trouble(platform, failpoints, seed, deaths, watch.stands)
        evidence = await _play(platform, clients, trouble, watch, seconds)
    say("checking")
    found = check(evidence, shop_rules.rules_of(data / "shop"), shop_rules.policy_of(data / "shop"))
    found.add("processes", deaths.by_themselves())
    _tell(found, clients, deaths)
    return found


async def _play(platform: Platform, clients: Clients, trouble: Trouble, watch: Watch, seconds: float) -> Evidence:
    """Traffic and trouble at once; then rest."""
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(watch.watch())
        tasks.create_task(trouble.kill_at_points(seconds))
        tasks.create_task(trouble.kill_at_random(seconds))
        await clients.play(max(seconds / 2, seconds - LAST_LIVES_S))
        rest = SystemClock().now() + shop_rules.LONGEST + 2 * shop_rules.GRACE
        say(f"{len(clients.told.acked)} events are acknowledged; coming to rest")
        watch.until = rest
        await watching
    await _all_are_ready(platform)
    return await collect(platform, clients.told, watch.looks, rest)


async def _all_are_ready(platform: Platform) -> None:
    clock = SystemClock()
    while not all([await server.is_ready() for server in platform.servers.values()]):
        await clock.sleep(0.1)


def _tell(found: Findings, clients: Clients, deaths: Deaths) -> None:
    told = clients.told
    found.seen["households"] = clients.households
    say(f"requests refused: {told.refused}, without an answer: {told.unanswered}")
    say(f"killed at random: {dict(sorted(deaths.killed.items()))}")
    say(f"killed at failpoints: {dict(sorted(deaths.at_points.items()))}")
    say("seen: " + ", ".join(f"{what} {many}" for what, many in sorted(found.seen.items())))
    for line in found.wrong[:SHOWN]:
        sys.stdout.write(f"WRONG {line}\n")


def _words(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=4.0, help="how long all of it may take, about")
    parser.add_argument("--seed", type=int, default=None, help="of an earlier run, to play it again")
    parser.add_argument("--workers", type=int, default=1, help="processes of each service behind ingest")
    parser.add_argument("--keep", type=Path, default=None, help="where to keep the platform's folder and logs")
    return parser.parse_args(words)


def run(words: Sequence[str]) -> int:
    """The exit status."""
    said = _words(words)
    seed = secrets.randbelow(100_000) if said.seed is None else said.seed
    say(f"seed {seed}")
    began = SystemClock().monotonic()
    with tempfile.TemporaryDirectory(prefix="tern-chaos-") as temporary:
        found = asyncio.run(main(said.minutes, seed, said.workers, said.keep or Path(temporary)))
    took = timedelta(seconds=round(SystemClock().monotonic() - began))
    verdict = f"{len(found.wrong)} faults" if found.wrong else "equal to the oracle"
    sys.stdout.write(f"seed {seed}: {verdict}, in {took}\n")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
