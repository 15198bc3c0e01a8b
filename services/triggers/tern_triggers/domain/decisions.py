"""Decisions: one row for what was decided about (rule, key, cycle, step), and the codes that say why.

Never rewritten, except `fired` → `withdrawn` before publication; retraction and cancellation are noted beside it.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum

import msgspec

from tern_triggers.domain.story import Gone

NAMESPACE = uuid.UUID("2f0c6c6e-0d7c-5c55-8a8e-5f4f1be39b1d")


class Outcome(StrEnum):
    """What became of a step. Part of the contract.

    `ended` is a note: a cycle was over before anything was due. It decides nothing and holds no step.
    """

    FIRED = "fired"
    SUPPRESSED = "suppressed"
    WITHDRAWN = "withdrawn"
    ENDED = "ended"


class Why(StrEnum):
    """Why a step was suppressed or (`unpublishable`: no broker takes its trigger) withdrawn. Part of the contract."""

    EXPIRED = "expired"
    SHARED = "shared-customer"
    NO_CONSENT = "no-consent"
    ALREADY = "already"
    UNPUBLISHABLE = "unpublishable"


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """`anchor`, `due` and `round` are event times; `decided_at` is the wall clock's. `reason` explains the outcome.

    `home_id` is the home of the cycle's start, `customer_id` who held it when it was decided. `facts` are the message
    ids, times and counts that led here, as JSON values.
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
    facts: dict[str, str | int]
    retracted_at: datetime | None = None
    cancelled_at: datetime | None = None

    @property
    def row_id(self) -> str:
        """The row's identity: the same decision taken twice is one row."""
        note = "|ended" if self.outcome is Outcome.ENDED else ""
        return str(uuid.uuid5(uuid.UUID(self.trigger_id), self.home_id + note))


def trigger_id(rule: str, key: str, cycle_ref: str, step: int) -> str:
    """No customer is in it: a merge, split or handover cannot mint a second id for one reason (triggers.md §4.2)."""
    return str(uuid.uuid5(NAMESPACE, f"{rule}|{key}|{cycle_ref}|{step}"))
