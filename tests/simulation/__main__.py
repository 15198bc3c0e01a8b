"""`make simulate ARGS="SEED [LAST]"`: plays the worlds of these seeds again and says what was wrong with each."""

from __future__ import annotations

import sys

from simulation.checks import check
from simulation.quiet import silence
from simulation.world import play


def main(seeds: list[int]) -> int:
    """Returns how many worlds were wrong."""
    first, last = seeds[0], seeds[-1]
    found = 0
    for seed in range(first, last + 1):
        ended = play(seed)
        fired = len(ended.tables.triggers.node.fired())
        try:
            check(ended)
            sys.stdout.write(f"seed {seed}: {ended.calls} calls, {fired} fired, sound\n")
        except AssertionError as wrong:
            found += 1
            sys.stdout.write(f"{wrong}\n")
    return found


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.exit(__doc__)
    if len(sys.argv) > 2:
        silence()
    sys.exit(min(1, main([int(word) for word in sys.argv[1:]])))
