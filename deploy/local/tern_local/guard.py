"""Ends processes whose supervisor has died, where the kernel cannot (macOS). Run as a script, standard library alone.

Reads lines from the supervisor: `+PID SIGNAL` for a process to look after, `-PID` for one that has ended. The end of
its input means that the supervisor is gone: whatever is left gets its signal.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable


def left(lines: Iterable[str]) -> dict[int, int]:
    """Process id → signal of those that were not reported as ended."""
    alive: dict[int, int] = {}
    for line in lines:
        pid, *signal = line[1:].split()
        if line.startswith("+"):
            alive[int(pid)] = int(signal[0])
        else:
            alive.pop(int(pid), None)
    return alive


def main() -> None:
    """Waits for the end of standard input."""
    for pid, signal in left(sys.stdin).items():
        try:
            os.kill(pid, signal)
        except ProcessLookupError:
            continue


if __name__ == "__main__":
    main()
