"""Whether the shop has to be asked to hold a cart's stock before the reminder of it goes out.

A hold is nice to have: whatever the shop says, and if it says nothing, the plain reminder goes.
"""

from __future__ import annotations

from tern_triggers.domain.arbiter.case import Case, Verdict
from tern_triggers.domain.decisions import Why
from tern_triggers.domain.story import CartShown
from tern_triggers.domain.view import Deferral, Hold


def held(case: Case) -> Verdict | None:
    """Asks once, and waits for the answer; None where there is nothing (more) to wait for.

    A shadow asks for nothing: nobody is going to be told what is held. Neither does a step that would expire before
    the answer.
    """
    candidate = case.candidate
    if not case.step.hold or case.is_shadow or not isinstance(candidate.story.shown, CartShown):
        return None
    if candidate.trigger_id in case.view.holds or _is_asked(candidate.deferral):
        return None
    until = case.moment + case.policy.arbiter.holds.answer_within
    return Verdict(None, Why.STOCK, until=until, asks=True) if case.in_time(until) else None


def _is_asked(deferral: Deferral | None) -> bool:
    return deferral is not None and deferral.why is Why.STOCK


def is_answered(deferral: Deferral | None, hold: Hold | None) -> bool:
    """Whether the wait for the shop is over before its time."""
    return _is_asked(deferral) and hold is not None and hold.status != "requested"
