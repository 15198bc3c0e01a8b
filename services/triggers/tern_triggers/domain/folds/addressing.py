"""Keys that name a thing of its own, whoever speaks of it: a cart, an order, a ticket (triggers.md §4.1).

What was decided about one of these is looked up by its key, over all customers: so that a cart that two people hold is
reminded of once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tern_triggers.domain.facts import Fact
from tern_triggers.domain.folds.matching import key_in, matches
from tern_triggers.domain.rules import Inactivity, Rule, Ruleset, filters

ADDRESSED = frozenset({"cart_id", "order_id", "ticket_id"})

_KINDS = {"cart": ("cart", "checkout"), "checkout": ("cart", "checkout"), "first_order": ("order",)}


def is_addressed(rule: Rule) -> bool:
    """Whether decisions of the rule are looked up by their key, over all customers."""
    return getattr(rule, "key", None) in ADDRESSED


def addressed(ruleset: Ruleset, facts: Iterable[Fact]) -> set[str]:
    """The keys of such rules that these facts, of one customer, speak of."""
    return {
        key
        for fact in facts
        for reader in ruleset.reading(fact.kind, fact.key)
        if is_addressed(reader.rule)
        for key in _keys(reader.rule, fact)
    }


def _keys(rule: Rule, fact: Fact) -> Sequence[str]:
    if isinstance(rule, Inactivity) and rule.fold is not None:
        return [fact.key] if fact.key and fact.kind in _KINDS[rule.fold] else []
    key = key_in(getattr(rule, "key", None), fact) if any(matches(one, fact) for one in filters(rule)) else None
    return [key] if key else []
