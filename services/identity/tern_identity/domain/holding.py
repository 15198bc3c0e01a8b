"""Whose is a browser? (identity.md §3.4 and §10)"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

NEVER = 2_147_483_647


class Claimed(NamedTuple):
    """A claim on one weak node, as it stands now: its first `day`, and the `core` of the strong node.

    `counts` is false when the strong node is in quarantine, was seen on too many browsers, or is kept from this one by
    an operator.
    """

    strong: int
    rank: int
    day: int
    core: int
    counts: bool


class Held(NamedTuple):
    """`holder` is a strong node of the core that holds it; from the day `shared_from` on it is nobody's."""

    holder: int | None
    shared_from: int


UNHELD = Held(None, NEVER)
NOBODYS = Held(None, -1)


def holder(claims: Iterable[Claimed], *, blocked: bool = False) -> Held:
    """The best rank decides: the first core to claim it, until the first day on which another core does.

    Two cores on the first day: nobody's, ever. So is one that an operator `blocked`: a kiosk, a till.
    """
    if blocked:
        return NOBODYS
    valid = [claim for claim in claims if claim.counts]
    if not valid:
        return UNHELD
    best = min(claim.rank for claim in valid)
    first, *later = sorted((claim.day, claim.strong, claim.core) for claim in valid if claim.rank == best)
    shared_from = min((day for day, _, core in later if core != first[2]), default=NEVER)
    return Held(first[1], shared_from) if shared_from > first[0] else NOBODYS
