"""Draws that are the same whenever and wherever they are made: hashes of what they are about."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from tern_triggers.domain.moments import TICK

BUCKETS = 10_000
_RANGE = 2**64


def bucket(salt: str, rule: str, customer_id: str) -> int:
    """0 to 9999, evenly, and for each rule anew."""
    return _drawn(f"{salt}|{rule}|{customer_id}") * BUCKETS // _RANGE


def spread(home_id: str, rule: str, over: timedelta) -> timedelta:
    """A moment within [0, `over`) for each home, so that a backlog is not taken up all at once."""
    return TICK * (_drawn(f"spread|{rule}|{home_id}") * (over // TICK) // _RANGE)


def _drawn(about: str) -> int:
    return int.from_bytes(hashlib.sha256(about.encode()).digest()[:8], "big")
