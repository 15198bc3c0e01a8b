"""Named places in the code at which a process can be made to die: between a commit and what follows from it.

Nothing happens at them unless a folder is named (`TERN_FAILPOINTS`, never in production). A point is armed by a file of
its name there that holds a number: the process that reaches it for that many times removes the file and is killed, as
by `kill -9`. So each arming kills once, and what comes to life again finds the point harmless. Refuses to know who
arms them, and why.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

POINTS = (
    "ingest.acknowledged",  # Kafka has the events, the client knows nothing
    "identity.filed",  # the transaction is committed, nothing is published
    "identity.published",  # all of it is acknowledged, the offsets are not committed
    "outbox.sent",  # membership changes are acknowledged, their rows still there
    "profile.applied",
    "profile.published",
    "triggers.advanced",  # positions are written, the transaction is open
    "triggers.applied",  # the batch is committed, its letters are not out
    "triggers.fired",  # decisions are committed, their letters are not out
    "triggers.claimed",  # letters are noted as attempted, none is sent
    "triggers.sent",  # letters are acknowledged, their rows still there
    "progress.covered",  # a claim is true, and is not made
)


class _Failpoints:
    """Of this process."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.passed: Counter[str] = Counter()


_here = _Failpoints()


def look_in(folder: Path | None) -> None:
    """From now on points are armed by files in this folder; None: none ever is."""
    _here.folder = folder


def reached(point: str) -> None:
    """The process is at a point. Returns unless it is armed."""
    if _here.folder is not None:
        _die_if_armed(_here.folder / point)


def _die_if_armed(armed: Path) -> None:
    try:
        times = int(armed.read_text())
    except FileNotFoundError:
        _here.passed[armed.name] = 0
        return
    _here.passed[armed.name] += 1
    if _here.passed[armed.name] < times:
        return
    try:
        armed.unlink()
    except FileNotFoundError:
        return  # another process died of it
    os.kill(os.getpid(), signal.SIGKILL)
