"""The incentive guard: who may be made an offer. It never stops a contact, only the offer that comes with it."""

from __future__ import annotations

from tern_triggers.domain.arbiter.case import Case
from tern_triggers.domain.decisions import Outcome


def may_offer(case: Case) -> bool:
    """Only after a plain step of the same cycle went out and changed nothing; within the customer's budget; and never
    to a serial abandoner, who would learn to wait for it."""
    if not case.step.incentive:
        return False
    rule, limits = case.candidate.rule, case.policy.arbiter.incentives
    begin = case.present - limits.window
    return (
        _plain_step_failed(case)
        and case.ledger.offers_since(rule, begin) < limits.budget
        and case.ledger.reminded_since(case.candidate, begin) < limits.abandoned
    )


def _plain_step_failed(case: Case) -> bool:
    steps = case.candidate.rule.steps
    return any(
        taken.outcome is Outcome.FIRED
        and taken.released_at is None
        and taken.act == "contact"
        and not (taken.step < len(steps) and steps[taken.step].incentive)
        for taken in case.candidate.taken
    )
