"""When to look at a customer, from the facts of a batch alone: without loading anybody.

The one promise: a planned look may be early, never late. An early one costs a look.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from tern_triggers.domain.facts import Fact
from tern_triggers.domain.folds.matching import key_in, matches
from tern_triggers.domain.moments import AT_ONCE, earliest, round_up
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rules import Count, Inactivity, OnEvent, Rule, Ruleset
from tern_triggers.domain.rules.reading import VIEWED

_STARTS = {
    "cart": {"cart"},
    "checkout": {"checkout"},
    "orders": {"order", "refund", "cancel"},
    "first_order": {"order"},
    "presence": {"seen"},
}


class Plan(NamedTuple):
    """The next look by lane, and the times of the oldest and the newest fact that it was planned from.

    A fact that is not newer than all that is known can move earlier activity, so it asks for a look at once.
    """

    live: datetime | None = None
    all: datetime | None = None
    oldest: datetime | None = None
    newest: datetime | None = None


LOOK_NOW = Plan(AT_ONCE, AT_ONCE)


def plan_for(ruleset: Ruleset, fact: Fact, policy: Policy) -> Plan:
    """The first moment at which a rule could have something to decide because of this fact.

    What is decided at once is not planned for: whoever writes the fact decides, and plans what is left (§3).
    """
    if fact.kind in _UNDOING and any(map(_may_be_due, ruleset.deciding)):
        return Plan(AT_ONCE, AT_ONCE, fact.at, fact.at)
    planned = [
        (rule.lane, round_up(fact.at + rule.smallest_offset + policy.grace, policy.slot))
        for rule in ruleset.deciding
        if starts(rule, fact) and not decides_at_once(rule, fact)
    ]
    return Plan(
        earliest(*(at for lane, at in planned if lane == "live")),
        earliest(*(at for lane, at in planned if lane == "all")),
        fact.at,
        fact.at,
    )


_UNDOING = frozenset({"refund", "cancel"})


def _may_be_due(rule: Rule) -> bool:
    """A refund of the first order makes the one after it the first, which may have been due long ago."""
    return isinstance(rule, Inactivity) and rule.fold == "first_order"


def decides_at_once(rule: Rule, fact: Fact) -> bool:
    """Whether a cycle that this fact starts is decided in the transaction that stores it."""
    return rule.at_once(0) and not fact.passive


def starts(rule: Rule, fact: Fact) -> bool:
    """Whether such a fact can start or reset a cycle of this rule. A reset that starts nothing only puts things off."""
    if fact.passive and rule.ignores_history:
        return False
    match rule:
        case Inactivity(fold="browse"):
            return fact.kind == "event" and fact.key == VIEWED
        case Inactivity(fold=str() as fold):
            return fact.kind in _STARTS[fold]
        case Inactivity(start=wanted) | Count(of=wanted) | OnEvent(of=wanted):
            return matches(wanted, fact) and key_in(rule.key, fact) is not None
        case _:
            return False


def join(plans: Iterable[Plan]) -> Plan:
    """The plan that serves all of them."""
    found = list(plans)
    return Plan(
        earliest(*(plan.live for plan in found)),
        earliest(*(plan.all for plan in found)),
        earliest(*(plan.oldest for plan in found)),
        max((plan.newest for plan in found if plan.newest is not None), default=None),
    )


def replanned(known: Plan, added: Plan) -> Plan:
    """The agenda row after a batch. `store/agenda.py` says the same in SQL."""
    if added.oldest is not None and known.newest is not None and added.oldest <= known.newest:
        return join([known, added, LOOK_NOW])
    return join([known, added])
