"""The local platform as a user starts it: the command, its log, its run file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.waiting import eventually

STARTS_S = 240
STOPS_S = 30


@dataclass(frozen=True)
class Command:
    """`python -m tern_local …` on a data folder, and what it prints."""

    process: subprocess.Popen[bytes]
    data: Path
    log: Path

    @property
    def run_file(self) -> Path:
        return self.data / "run.json"

    def said(self) -> str:
        """All that it printed so far."""
        return self.log.read_text()

    async def says(self, text: str) -> None:
        """Waits until it has printed this. Fails when it ends before."""

        def heard() -> bool:
            found = text in self.said()
            assert found or self.process.poll() is None, self.said()
            return found

        await eventually(heard, STARTS_S, f"it says {text!r}")

    async def ends(self, within_s: float = STOPS_S) -> int:
        """Its exit status."""
        await eventually(lambda: self.process.poll() is not None, within_s, "it ends")
        return self.process.returncode


def untraced() -> dict[str, str]:
    """Our environment without what would trace the platform's lines: it is to run as a user's does, and as fast."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}


@contextmanager
def tern_local(data: Path, *words: str, log: str = "run.log") -> Iterator[Command]:
    """Runs the command; afterwards it has ended. Its output goes to a file beside the data folder's own files."""
    path = data.with_name(f"{data.name}-{log}")
    with path.open("wb") as output:
        process = subprocess.Popen(_command(data, words), stdout=output, stderr=subprocess.STDOUT, env=untraced())
    try:
        yield Command(process, data, path)
    finally:
        process.terminate()
        try:
            process.wait(STOPS_S)
        finally:
            process.kill()


def _command(data: Path, words: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "tern_local", *words, "--data", str(data)]
