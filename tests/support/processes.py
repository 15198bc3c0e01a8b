"""Processes of the platform, seen from outside: whether they live, and how to freeze one with all that it started."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.waiting import eventually
from tern_local.folder import Folder


def lives(pid: int) -> bool:
    """Whether there is such a process, be it a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def ended(pid: int, within_s: float) -> None:
    """Waits until there is no such process."""
    await eventually(lambda: not lives(pid), within_s, f"process {pid} ends")


def descendants(pid: int) -> set[int]:
    """All that the process started, and what these started (Linux)."""
    found, parents = set[int](), {pid}
    while parents:
        parents = {child for parent in parents for child in _children(parent)} - found
        found |= parents
    return found


def _children(pid: int) -> set[int]:
    found = set[int]()
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found.update(map(int, listed.read_text().split()))
        except OSError:
            continue  # the thread has ended meanwhile
    return found


@contextmanager
def frozen(pid: int) -> Iterator[set[int]]:
    """The process and its descendants stand still, as on a machine that hangs. Yields their ids."""
    stopped = set[int]()
    try:
        while young := {pid, *descendants(pid)} - stopped:  # again, for what was started until its parent stood still
            for one in young:
                _signal(one, signal.SIGSTOP)
            stopped |= young
        yield stopped
    finally:
        for one in stopped:
            _signal(one, signal.SIGCONT)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


async def nothing_is_left(data: Path, patience_s: float = 0) -> None:
    """Fails unless every process that worked in this data folder has ended: each holds its lock as long as it lives."""
    folder = Folder(data)
    for lock in sorted((data / "locks").iterdir()):
        os.close(await folder.hold(lock.name, patience_s))
