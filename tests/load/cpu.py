"""CPU seconds of processes and of the children they have and had, read from Linux's /proc."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
_USER, _CHILDREN_SYSTEM, _PARENT = 11, 14, 1


def _stat(pid: str) -> list[str]:
    """The fields after the command's name; empty when the process has ended."""
    try:
        return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def seconds(pids: Iterable[int]) -> float:
    """Of the processes, of their living descendants, and of their children that have ended and were waited for."""
    stats = {int(pid): stat for pid in os.listdir("/proc") if pid.isdigit() and (stat := _stat(pid))}
    family = set(pids)
    grown = True
    while grown:
        more = {pid for pid, stat in stats.items() if int(stat[_PARENT]) in family} - family
        family |= more
        grown = bool(more)
    ticks = sum(int(part) for pid in family & set(stats) for part in stats[pid][_USER : _CHILDREN_SYSTEM + 1])
    return ticks / TICKS


def system_busy() -> float:
    """CPU seconds that all processes of the machine used since it started: tells whether a run was disturbed."""
    user, nice, system = Path("/proc/stat").read_text().split()[1:4]
    return (int(user) + int(nice) + int(system)) / TICKS
