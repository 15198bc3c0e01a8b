"""What dies is started again, what is told to rest stays down, and a start that fails says why."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from support.waiting import eventually
from tern_common.clock import SystemClock
from tern_local.children import Failed, Family, Program
from tern_local.folder import Folder
from tern_local.supervisor import Supervisor


class Sleeper:
    """Ready once it has written its mark; sleeps for ever then."""

    name = "sleeper"

    def __init__(self, mark: Path, first: str = "pass") -> None:
        self._mark = mark
        self._script = f"import signal; {first}; open({str(mark)!r}, 'w').close(); signal.pause()"

    def program(self) -> Program:
        return Program(self.name, (sys.executable, "-c", self._script), before=self._forget)

    def _forget(self) -> None:
        self._mark.unlink(missing_ok=True)

    async def is_ready(self) -> bool:
        return self._mark.exists()


async def test_what_dies_is_started_again_and_said(tmp_path: Path) -> None:
    clock, said, sleeper = SystemClock(), list[str](), Sleeper(tmp_path / "mark")
    async with Folder(tmp_path) as folder, Family(folder, clock) as family:
        supervisor = Supervisor(family, clock, said.append)
        changes: list[dict[str, int]] = []
        supervisor.changed = lambda: changes.append(supervisor.pids())
        await supervisor.start(sleeper)
        await supervisor.ready(sleeper)
        before = supervisor.pids()["sleeper"]
        async with asyncio.TaskGroup() as tasks:
            keeper = tasks.create_task(supervisor.keep(sleeper))
            os.kill(before, signal.SIGKILL)
            await eventually(lambda: any("is back" in line for line in said), 10, "the sleeper is back")
            after = supervisor.pids()["sleeper"]
            assert after != before
            assert changes == [{"sleeper": after}]
            assert "ended with -9" in said[0]

            await supervisor.rest("sleeper")
            await supervisor.wake(sleeper)
            assert len(said) == 2, "a stop that was asked for is no death"
            keeper.cancel()


async def test_a_start_that_fails_shows_the_end_of_the_log(tmp_path: Path) -> None:
    clock = SystemClock()
    async with Folder(tmp_path) as folder, Family(folder, clock) as family:
        supervisor = Supervisor(family, clock, lambda _line: None)
        broken = Sleeper(tmp_path / "nowhere" / "mark")
        await supervisor.start(broken)
        with pytest.raises(Failed, match="FileNotFoundError"):
            await supervisor.ready(broken)


async def test_a_program_that_will_not_stop_is_killed(tmp_path: Path) -> None:
    clock = SystemClock()
    deaf = Sleeper(tmp_path / "mark", "signal.signal(15, signal.SIG_IGN)")
    async with Folder(tmp_path) as folder, Family(folder, clock) as family:
        child = await family.start(deaf.program())
        await eventually(deaf.is_ready, 10, "it is up")
        await family.stop([child], patience_s=0.1)
        assert child.ended == -signal.SIGKILL


async def test_a_log_that_grew_large_is_moved_aside(tmp_path: Path) -> None:
    clock, log = SystemClock(), tmp_path / "logs" / "sleeper.log"
    log.parent.mkdir()
    log.write_bytes(b"x" * (9 * 1024 * 1024))
    async with Folder(tmp_path) as folder, Family(folder, clock) as family:
        await family.success(await family.start(Program("sleeper", (sys.executable, "-c", "print('new')"))))
    assert log.read_text() == "new\n"
    assert log.with_suffix(".log.1").exists()
