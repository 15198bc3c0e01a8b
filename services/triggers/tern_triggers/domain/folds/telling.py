"""Which fold tells a rule's stories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from tern_triggers.domain.folds.cart import cart_stories
from tern_triggers.domain.folds.orders import orders_story
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rules import Inactivity, Rule, Ruleset
from tern_triggers.domain.story import Story
from tern_triggers.domain.view import View

Stories = Mapping[str, Sequence[Story]]
"""Rule name → what its fold tells of each key."""


def stories(ruleset: Ruleset, view: View, policy: Policy) -> dict[str, list[Story]]:
    """What each deciding rule makes of the customer's facts, also of carts that only its decisions know."""
    return {rule.rule: _told(rule, view, policy) for rule in ruleset.deciding}


def _told(rule: Rule, view: View, policy: Policy) -> list[Story]:
    match rule:
        case Inactivity(fold="cart"):
            return cart_stories(view.carts, _anchors(rule, view), policy.settle)
        case Inactivity(fold="orders"):
            story = orders_story(view.facts, rule.waits)
            return [] if story is None else [story]
        case _:
            return []


def _anchors(rule: Rule, view: View) -> dict[str, list[datetime]]:
    anchors: dict[str, list[datetime]] = {}
    for decision in view.decisions:
        if decision.rule == rule.rule:
            anchors.setdefault(decision.key, []).append(decision.anchor)
    return anchors
