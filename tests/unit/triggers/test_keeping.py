"""How far back rules can read, which is how long facts are kept."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from tern_triggers.domain.keeping import ORDERS, kept_for_good, longest_window
from tern_triggers.domain.rules import Count, ruleset
from unit.triggers.fast_rules import ANSWER, VIEWS
from unit.triggers.saying import CART, RECALL

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HISTORY = CART.catch_up + CART.spread


def test_the_longest_of_all_rules_counts_older_versions_too() -> None:
    older = CART.model_copy(update={"max_hold": 900 * DAY})
    assert longest_window(ruleset([CART, VIEWS])) == HOUR + DAY + CART.max_hold + HISTORY
    assert longest_window(replace(ruleset([CART]), older={("cart_abandoned", 0): older})) == HOUR + 901 * DAY + HISTORY


def test_counts_read_their_window_and_their_cooldown_and_personal_waits_the_longest() -> None:
    assert isinstance(VIEWS, Count)
    assert longest_window(ruleset([VIEWS])) == HOUR + VIEWS.within + VIEWS.cooldown + HISTORY
    recall = longest_window(ruleset([RECALL]))
    assert recall == 90 * DAY + 14 * DAY + 180 * DAY + RECALL.max_hold + HISTORY


def test_rules_without_a_window_read_as_far_as_their_steps_wait() -> None:
    last = ANSWER.steps[-1]
    assert longest_window(ruleset([ANSWER])) == last.after + last.expires_after + HISTORY


def test_nobody_reads_anything_for_a_rule_that_is_retired() -> None:
    assert longest_window(ruleset([])) is None
    assert longest_window(replace(ruleset([CART]), retired=frozenset({CART.rule}))) is None


def test_orders_are_kept_for_good_where_they_are_counted() -> None:
    assert kept_for_good(ruleset([CART, RECALL])) == ORDERS
    assert kept_for_good(ruleset([CART, VIEWS])) == frozenset()
