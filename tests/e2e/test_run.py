"""`make run`: what it prints works as printed and ends in a reminder, it ends at once, and what it knows stays."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.platform import Command, tern_local
from support.processes import lives, nothing_is_left
from support.waiting import eventually

STOPS_S = 10
READY = "Tern is ready"


async def as_printed(command: Command, service: str) -> dict[str, Any]:
    """Runs the printed curl line that asks this service, in a plain shell: what it answers."""
    address = json.loads(command.run_file.read_text())[service]
    line = next(line.strip() for line in command.said().splitlines() if line.startswith(f"  curl {address}/"))
    done = await asyncio.to_thread(subprocess.run, ["sh", "-c", line], capture_output=True, check=True, timeout=30)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


async def time_passes(command: Command) -> None:
    """Runs the printed `tern` line, pointed at this platform: the line itself means the one in `.local`."""
    line = next(line.strip() for line in command.said().splitlines() if line.startswith("  .venv/bin/tern "))
    tern = [sys.executable, "-m", "tern_cli", "--run-file", str(command.run_file), *line.split()[1:]]
    await asyncio.to_thread(subprocess.run, tern, check=True, timeout=120)


async def counts(command: Command) -> dict[str, int] | None:
    """What is known of the printed customer, once she is."""
    answer = await as_printed(command, "profile")
    return answer.get("counts")


async def stopped(command: Command, number: int) -> None:
    """It ends in time, with everything that it started."""
    pids = json.loads(command.run_file.read_text())["pids"]
    command.process.send_signal(number)
    assert await command.ends(STOPS_S) == 0, command.said()
    assert not command.run_file.exists()
    assert [name for name, pid in pids.items() if lives(pid)] == []
    await nothing_is_left(command.data)
    assert "Traceback" not in command.said()


@pytest.mark.skipif(shutil.which("curl") is None, reason="the printed lines need curl")
async def test_the_printed_lines_work_and_what_they_did_survives_a_stop_until_it_is_cleaned(tmp_path: Path) -> None:
    data = tmp_path / "local"
    with tern_local(data, "run", "--virtual-clock", log="first") as platform:
        await platform.says(READY)
        assert await as_printed(platform, "ingest") == {"success": True}
        before = await eventually(lambda: counts(platform), 30, "the events have arrived")
        assert "Product Added" in (before or {})
        await time_passes(platform)
        decided = (await as_printed(platform, "triggers"))["counts"]
        assert {"rule": "cart_abandoned", "outcome": "fired", "reason": None, "decisions": 1} in decided
        await stopped(platform, signal.SIGTERM)
    with tern_local(data, "run", "--virtual-clock", log="second") as platform:
        await platform.says(READY)
        assert await counts(platform) == before
        await stopped(platform, signal.SIGINT)
    with tern_local(data, "clean", log="clean") as clean:
        assert await clean.ends() == 0
    assert os.listdir(data) == ["locks"]
