"""What processes hold in memory, and held at most, read from Linux's /proc."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_FORGET_THE_PEAK = "5"


def forget_peaks(pids: Iterable[int]) -> None:
    """From now on their peaks count anew."""
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text(_FORGET_THE_PEAK)


def peak_mb(pids: Iterable[int]) -> float:
    """The sum of what each of them held at most; what they share counts for each."""
    return sum(_kilobytes(pid, "VmHWM") for pid in pids) / 1000


def _kilobytes(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
