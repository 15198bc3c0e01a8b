"""Child processes that never outlive their supervisor. Knows nothing of what they do.

Must be used from the main thread: the kernel's parent-death signal fires when the spawning *thread* ends.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tern_common.clock import Clock
from tern_common.errors import TernError
from tern_local import guard, launch
from tern_local.folder import PATIENCE_S, Folder

_POLL_S = 0.02
_LAST_WORDS = 2000
_LOG_LIMIT = 8 * 1024 * 1024
# A developer's own Java settings must not leak into Kafka, nor libpq's into PostgreSQL.
_FOREIGN = ("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH")
_FOREIGN_PREFIXES = ("KAFKA_", "PG", "TERN_")


def clean_environment() -> dict[str, str]:
    """The environment without what would change a child's behaviour."""
    return {k: v for k, v in os.environ.items() if k not in _FOREIGN and not k.startswith(_FOREIGN_PREFIXES)}


@dataclass(frozen=True)
class Program:
    """What to run. `stop` asks it to end; `orphaned` is what it gets when its supervisor dies.

    `before` is called just before a start, when no process of an earlier one is left.
    """

    name: str
    command: Sequence[str | Path]
    stop: signal.Signals = signal.SIGTERM
    orphaned: signal.Signals = signal.SIGTERM
    identity: str = "same"
    environment: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Child:
    """A process that was started. Its log is appended to, and moved aside once it is large."""

    program: Program
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def ended(self) -> int | None:
        """Its exit status, or None while it lives."""
        return self.process.poll()

    def obituary(self) -> str:
        """How it ended, with the end of its log."""
        end = self.log.read_bytes()[-_LAST_WORDS:].decode("utf-8", "replace").strip()
        return f"{self.program.name} ended with {self.ended}. The end of {self.log}:\n{end}"


class Failed(TernError):
    """A child ended that should not have; the message carries the end of its log."""


class Family:
    """The children of one supervisor. `async with`: on the way out none is left."""

    def __init__(self, folder: Folder, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._guard: subprocess.Popen[bytes] | None = None
        self._alive: list[Child] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.stop(list(self._alive), PATIENCE_S)
        finally:
            if self._guard and self._guard.stdin:
                self._guard.stdin.close()
                self._guard.wait()

    async def start(self, program: Program) -> Child:
        """Waits until no process of an earlier start of this program is left, then starts it."""
        lock = await self._folder.hold(program.name, PATIENCE_S)
        try:
            program.before()
            child = self._spawn(program, lock)
        finally:
            os.close(lock)
        self._alive.append(child)
        self._tell_guard(f"+{child.pid} {program.orphaned.value}")
        return child

    async def success(self, child: Child) -> None:
        """Waits for the end of a program that does one thing. Raises `Failed`."""
        while child.ended is None:
            await self._clock.sleep(_POLL_S)
        self.forget(child)
        if child.ended:
            raise Failed(child.obituary())

    async def stop(self, children: Sequence[Child], patience_s: float) -> None:
        """Asks all of them at once to end; kills those that have not after `patience_s`, or when cancelled."""
        for child in children:
            if child.ended is None:
                child.process.send_signal(child.program.stop)
        deadline = self._clock.monotonic() + patience_s
        try:
            while any(child.ended is None for child in children) and self._clock.monotonic() < deadline:
                await self._clock.sleep(_POLL_S)
        finally:
            for child in children:
                if child.ended is None:
                    child.process.kill()
                    child.process.wait()
                self.forget(child)

    def forget(self, child: Child) -> None:
        """It has ended."""
        if child in self._alive:
            self._alive.remove(child)
            self._tell_guard(f"-{child.pid}")

    def _spawn(self, program: Program, lock: int) -> Child:
        logs = self._folder / "logs"
        logs.mkdir(mode=0o700, exist_ok=True)
        log = logs / f"{program.name}.log"
        if log.exists() and log.stat().st_size > _LOG_LIMIT:
            log.replace(log.with_suffix(".log.1"))
        launched = [sys.executable, "-I", "-S", launch.__file__, os.getpid(), program.orphaned.value, program.identity]
        with log.open("ab") as output:
            process = subprocess.Popen(
                [str(word) for word in (*launched, *program.command)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._folder.path,
                env={**clean_environment(), **program.environment},
                pass_fds=(lock,),
                start_new_session=True,  # Ctrl-C reaches the supervisor only
            )
        return Child(program, process, log)

    def _tell_guard(self, line: str) -> None:
        if sys.platform == "linux" and "TERN_LOCAL_GUARD" not in os.environ:
            return
        if self._guard is None:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", guard.__file__], stdin=subprocess.PIPE, start_new_session=True
            )
        if self._guard.stdin:
            self._guard.stdin.write(f"{line}\n".encode())
            self._guard.stdin.flush()
