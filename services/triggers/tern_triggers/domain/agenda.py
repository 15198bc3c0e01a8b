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
from tern_triggers.domain.rules import Inactivity, Lane, Rule, Ruleset
from tern_triggers.domain.rules.reading import VIEWED

_STARTS = {
    "cart": {"cart"},
    "checkout": {"checkout"},
    "orders": {"order", "refund", "cancel"},
    "first_order": {"order"},
    "presence": {"seen"},
    "browse": {VIEWED},
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
    ready = fact.at + policy.grace
    by_lane: dict[Lane, datetime] = {}
    for reader in ruleset.reading(fact.kind, fact.key):
        decided = reader.at_once and not fact.passive
        if not decided and starts(reader.rule, fact):
            at = ready + reader.smallest_offset
            by_lane[reader.lane] = min(by_lane.get(reader.lane, at), at)
    live, rest = by_lane.get("live"), by_lane.get("all")
    return Plan(
        None if live is None else round_up(live, policy.slot),
        None if rest is None else round_up(rest, policy.slot),
        fact.at,
        fact.at,
    )


_UNDOING = frozenset({"refund", "cancel"})


def _may_be_due(rule: Rule) -> bool:
    """A refund of the first order makes the one after it the first, which may have been due long ago."""
    return isinstance(rule, Inactivity) and rule.fold == "first_order"


def starts(rule: Rule, fact: Fact) -> bool:
    """Whether such a fact can start or reset a cycle of this rule. A reset that starts nothing only puts things off."""
    if fact.passive and rule.ignores_history:
        return False
    if rule.kind == "inactivity" and rule.fold is not None:
        return (fact.key if fact.kind == "event" else fact.kind) in _STARTS[rule.fold]
    wanted = rule.start if rule.kind == "inactivity" else rule.of if rule.kind in ("count", "event") else None
    return matches(wanted, fact) and key_in(getattr(rule, "key", None), fact) is not None


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
