"""How often is too often: the generic cell rate algorithm (ITU-T I.371). One number per caller, no timer, no window.

The number is the moment at which everything the caller has taken would have arrived at its rate. Whoever is further
ahead of now than the rate allows at once has to wait. Knows no clock, and not who the caller is.
"""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

LONGEST_DEBT_S = 60.0

_ROUNDING = 0.001


class Rate(NamedTuple):
    """`each_s`: seconds that one of them takes, at the rate; `ahead_s`: how far ahead of now a caller may be."""

    each_s: float
    ahead_s: float

    def wait_s(self, taken_until: float, now: float) -> int:
        """Whole seconds until one more may be taken; 0 when it may be taken now."""
        ahead = taken_until + self.each_s - now
        return 0 if ahead <= self.ahead_s else max(1, ceil(ahead - self.ahead_s))

    def taken(self, taken_until: float, now: float, count: int = 1) -> float:
        """The caller's number once `count` more are taken, allowed or not: what is above the rate is a debt.

        Nobody pays back for longer than a minute: else one burst with a public key would close it for hours.
        """
        most = now + self.ahead_s + max(LONGEST_DEBT_S - self.each_s, 0)
        return min(max(taken_until, now) + count * self.each_s, most)


def rate(per_s: float, burst_s: float) -> Rate:
    """`per_s` a second on the long run, and what would come in `burst_s` at once; but always at least one."""
    each_s = 1 / per_s
    return Rate(each_s, max(burst_s, each_s) + each_s * _ROUNDING)
