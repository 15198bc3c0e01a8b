"""Decisions: one row for what was decided about (rule, key, cycle, step), and the codes that say why.

Never rewritten, except `fired` → `withdrawn` before publication; retraction and cancellation are noted beside it.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from hashlib import sha1
from typing import Literal

import msgspec

from tern_triggers.domain.rules import Act
from tern_triggers.domain.story import Gone

NAMESPACE = uuid.UUID("2f0c6c6e-0d7c-5c55-8a8e-5f4f1be39b1d")


class Outcome(StrEnum):
    """What became of a step. Part of the contract.

    `held_out`: all checks passed, and nothing was published, so that the arms compare.
    `ended` is a note: a cycle was over before anything was due. It decides nothing and holds no step.
    """

    FIRED = "fired"
    HELD_OUT = "held_out"
    SUPPRESSED = "suppressed"
    WITHDRAWN = "withdrawn"
    ENDED = "ended"


class Why(StrEnum):
    """Why a step was suppressed, deferred or (`unpublishable`: no broker takes it) withdrawn. Part of the contract."""

    EXPIRED = "expired"
    SHARED = "shared-customer"
    CONDITION = "condition-unmet"
    NO_CONSENT = "no-consent"
    DO_NOT_CONTACT = "do-not-contact"
    UNREACHABLE = "unreachable"
    FREQUENCY = "frequency"
    QUIET = "quiet-hours"
    BEST_HOUR = "best-hour"
    STOCK = "awaiting-stock"
    CAPPED = "capped"
    HISTORY = "before-live"
    ALREADY = "already"
    UNPUBLISHABLE = "unpublishable"


ENDS_CYCLE = frozenset({Why.FREQUENCY, Why.HISTORY})
"""Suppressions that are about the whole cycle: its later steps are not taken either."""


class Decision(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """`anchor`, `due` and `round` are event times; `decided_at` is the wall clock's. `reason` explains the outcome.

    `home_id` is the home of the cycle's start, `customer_id` who held it when it was decided. `facts` are the message
    ids, times and counts that led here, as JSON values. `about`: see `Story`. `mode`: a shadow decision publishes
    nothing and counts for shadows only. `channels` are those it may use, best first: the first one's cap is what it
    takes of. `category` is what `frequency: {per: category}` goes by. `released_at`: its slot was given back.
    """

    trigger_id: str
    rule: str
    rule_version: int
    key: str
    step: int
    home_id: str
    customer_id: str
    cycle_ref: str
    started: datetime
    anchor: datetime
    due: datetime
    round: datetime
    expires: datetime
    outcome: Outcome
    reason: Why | Gone | None
    decided_at: datetime
    facts: dict[str, str | int | float | bool]
    about: str = ""
    act: Act = "contact"
    mode: Literal["live", "shadow"] = "live"
    channels: tuple[str, ...] = ()
    category: str | None = None
    released_at: datetime | None = None
    retracted_at: datetime | None = None
    cancelled_at: datetime | None = None

    @cached_property
    def row_id(self) -> str:
        """The row's identity: the same decision taken twice is one row."""
        note = "|ended" if self.outcome is Outcome.ENDED else ""
        return _named(bytes.fromhex(self.trigger_id.replace("-", "")), self.home_id + note)


def trigger_id(rule: str, key: str, cycle_ref: str, step: int, *, shadow: bool = False) -> str:
    """No customer is in it: a merge, split or handover cannot mint a second id for one reason (triggers.md §4.2)."""
    return _named(NAMESPACE.bytes, f"{rule}|{key}|{cycle_ref}|{step}{'|shadow' if shadow else ''}")


def _named(namespace: bytes, name: str) -> str:
    """`str(uuid.uuid5(…))` without the objects in between: each look at a customer names several triggers."""
    digest = bytearray(sha1(namespace + name.encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
