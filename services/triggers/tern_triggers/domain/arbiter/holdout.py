"""The hold-out: a share of the customers is treated as if the rule did not exist, to see what it is worth.

Sticky per customer: frozen, by home, at the first evaluation. Whoever was ever treated is never put into the control.
"""

from __future__ import annotations

from typing import NamedTuple

from tern_triggers.domain.arbiter.case import Case
from tern_triggers.domain.arbiter.draws import BUCKETS, bucket
from tern_triggers.domain.view import Arm


class Side(NamedTuple):
    """`news`: what has to be kept of it, where that is not known already."""

    treated: bool
    news: Arm | None = None


def side_of(case: Case) -> Side:
    """Asked only when all checks have passed, so that the arms compare.

    A shadow draws the same, but freezes nothing: nobody was treated. A rule that holds nobody out (any more) keeps
    nothing either: what it fired tells who was treated.
    """
    candidate, rule = case.candidate, case.candidate.rule
    if not rule.holdout:
        return Side(True)
    treated = _is_treated(case)
    arm = Arm(candidate.start.home_id, rule.rule, treated)
    return Side(treated, None if case.is_shadow or arm in case.view.arms else arm)


def _is_treated(case: Case) -> bool:
    """Any treated home wins; a control stays one when others join it; else the customer's id draws."""
    rule = case.candidate.rule
    known = [arm.treated for arm in case.view.arms if arm.rule == rule.rule]
    if any(known) or case.ledger.ever_treated(rule):
        return True
    drawn = bucket(case.policy.arbiter.salt, rule.rule, case.view.customer_id)
    return not known and drawn >= round(rule.holdout * BUCKETS)
