"""How long facts are kept: as long as any rule can still read them, and a little longer."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from tern_triggers.domain.rules import Count, Inactivity, Rule, Ruleset

ORDERS = frozenset({"order", "refund", "cancel"})
"""Kept for good where a rule counts a customer's orders: whether one is the first does not grow old."""


def longest_window(ruleset: Ruleset) -> timedelta | None:
    """Nothing before it can start, end or count for anything any more, by any version of any rule that is not retired.

    None where there are no rules: then nothing is said about what may go.
    """
    rules = [rule for rule in (*ruleset.rules, *ruleset.older.values()) if rule.rule not in ruleset.retired]
    return max((_window(rule) for rule in rules), default=None)


def kept_for_good(ruleset: Ruleset) -> Collection[str]:
    """Kinds of fact that no window bounds."""
    counted = any(isinstance(rule, Inactivity) and rule.fold in ("orders", "first_order") for rule in ruleset.rules)
    return ORDERS if counted else frozenset()


def _window(rule: Rule) -> timedelta:
    last = rule.steps[-1]
    after = last.after + last.expires_after + rule.catch_up + rule.spread
    if isinstance(rule, Inactivity):
        personal = timedelta() if rule.personal is None else rule.personal.most
        return after + rule.max_hold + personal
    return after + rule.within + rule.cooldown if isinstance(rule, Count) else after
