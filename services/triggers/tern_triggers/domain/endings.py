"""What an exit does to a decision that was already taken (triggers.md §4.5).

Late resets do nothing here: a reminder that was early was not wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from tern_triggers.domain.decisions import Decision, Outcome
from tern_triggers.domain.folds.telling import Stories
from tern_triggers.domain.story import Exit, Gone


class Revocation(StrEnum):
    """`retracted`: the reason had gone when it fired. `cancelled`: the reason was right and is gone."""

    RETRACTED = "retracted"
    CANCELLED = "cancelled"


class Ending(NamedTuple):
    """A fired decision and the exit that ends it. Where nobody has seen the trigger yet, it is withdrawn instead."""

    decision: Decision
    revocation: Revocation
    exit: Exit


def endings(told: Stories, decisions: Sequence[Decision], now: datetime) -> list[Ending]:
    """What has to be said about these decisions, by (rule, key): each is retracted once and cancelled once at most."""
    exits = {(rule, story.key, story.about): story.exits for rule, found in told.items() for story in found}
    found = (
        _ending(decision, exits.get((decision.rule, decision.key, decision.about), ()), now) for decision in decisions
    )
    return [ending for ending in found if ending is not None]


def erased(decisions: Iterable[Decision], now: datetime) -> list[Ending]:
    """Whoever was told of these is told to do nothing more: the home they are about was erased."""
    return [Ending(one, Revocation.CANCELLED, Exit(now, now, Gone.ERASED, "")) for one in decisions]


def is_open(decision: Decision, now: datetime) -> bool:
    """Whether an exit can still matter to anybody: it fired, stands, and has not expired."""
    return decision.outcome is Outcome.FIRED and decision.retracted_at is None and now <= decision.expires


def _ending(decision: Decision, exits: Iterable[Exit], now: datetime) -> Ending | None:
    if not is_open(decision, now):
        return None
    closing = min((end for end in exits if end.reach >= decision.anchor), default=None)
    if closing is None:
        return None
    if closing.at <= decision.decided_at:
        return Ending(decision, Revocation.RETRACTED, closing)
    return Ending(decision, Revocation.CANCELLED, closing) if decision.cancelled_at is None else None
