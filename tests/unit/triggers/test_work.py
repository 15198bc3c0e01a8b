"""A customer with thousands of orders and carts costs thousands of steps, not millions: its look must fit into one
transaction. Counted are comparisons of times and of keys, so that no clock is asked; and what is quick must be right.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tern_triggers.domain.endings import endings
from tern_triggers.domain.facts import Fact
from tern_triggers.domain.folds.telling import stories
from tern_triggers.domain.narrative import ended_notes
from tern_triggers.domain.rounds import Safe, after, decide, next_looks
from tern_triggers.domain.rules import Ruleset, ruleset
from tern_triggers.domain.story import Ended, Exit, Gone, Moment, Story, last_ended
from tern_triggers.domain.view import View
from unit.triggers import fast_rules
from unit.triggers.saying import CART, DAY, POLICY, RULESET, at, checkout, event, order, seen_on, snap, view

COUNTED = [0]


class Tallied(datetime):
    """A moment whose comparisons are counted."""

    def __lt__(self, other: Any) -> bool:
        COUNTED[0] += 1
        return super().__lt__(other)

    def __le__(self, other: Any) -> bool:
        COUNTED[0] += 1
        return super().__le__(other)

    def __gt__(self, other: Any) -> bool:
        COUNTED[0] += 1
        return super().__gt__(other)

    def __ge__(self, other: Any) -> bool:
        COUNTED[0] += 1
        return super().__ge__(other)

    def __eq__(self, other: object) -> bool:
        COUNTED[0] += 1
        return super().__eq__(other)

    __hash__ = datetime.__hash__


class Key(str):
    """A cart_id whose comparisons are counted."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        COUNTED[0] += 1
        return super().__eq__(other)

    __hash__ = str.__hash__


def tallied(seen: View) -> View:
    """The same, counting."""
    facts = [
        type(f)(f.home_id, f.kind, Key(f.key), f.message_id, Tallied.fromisoformat(f.at.isoformat()), f.passive, f.body)
        for f in seen.facts
    ]
    return replace(seen, facts=facts, decisions=[replace(one, key=Key(one.key)) for one in seen.decisions])


def look(seen: View, minutes: float, rules: Ruleset = RULESET) -> View:
    """A whole look, and the check for endings; returns the view with what was decided."""
    told = stories(rules, seen, POLICY, at(minutes))
    decided = decide(rules, told, seen, POLICY, Safe(at(minutes), at(minutes)), at(minutes))
    later = after(seen, decided)
    notes = ended_notes(rules, told, later, POLICY, at(minutes))
    next_looks(decided.left, POLICY)
    endings(told, later.decisions, at(minutes))
    return replace(later, decisions=[*later.decisions, *notes])


def work(carts: int, orders: int) -> int:
    """Comparisons in two looks, the second with a decision about every cart."""
    filled = [snap(n, f"m{n}", "tea", cart=f"c{n}") for n in range(carts)]
    bought = [order(carts + 100 + n, f"o{n}", "tea" if n % 2 else "pot") for n in range(orders)]
    first = look(view(*filled), carts + 90)
    assert len(first.decisions) == carts
    seen = tallied(view(*filled, *bought, decisions=first.decisions))
    COUNTED[0] = 0
    look(seen, 200 * DAY)
    return COUNTED[0]


@pytest.mark.parametrize(("carts", "orders"), [(2000, 0), (0, 5000), (2000, 5000)])
def test_a_look_grows_with_what_is_looked_at_and_no_faster(carts: int, orders: int) -> None:
    assert work(carts, orders) < 60 * (carts + orders)


def look_of_all_kinds(days: int) -> int:
    """Comparisons in two looks by rules of every kind: each day has a home of its own, as identity files events."""
    facts: list[Fact] = []
    for n in range(days):
        home, minute = f"{n % 40:032x}", n * 3
        facts += [
            event("Product Viewed", minute, f"v{n}", home=home, product_id=f"p{n % 9}", seconds=5),
            event("Product Hidden", minute + 1, f"h{n}", home=home, product_id=f"p{n % 7}"),
            event("Answer Given", minute, f"a{n}", home=home, score=n % 11, ticket_id=f"t{n % 9}"),
            event("Inquiry Opened", minute, f"i{n}", home=home, ticket_id=f"t{n % 9}"),
            event("Inquiry Closed", minute + 2, f"j{n}", home=home, ticket_id=f"t{n % 7}"),
            seen_on(n * DAY, f"s{n}", home=home),
            order(minute + 1, f"o{n}", f"p{n % 9}", home=home),
            checkout(minute, f"k{n}", cart=f"c{n % 9}", home=home),
            snap(minute, f"c{n}", f"p{n % 9}", cart=f"c{n % 9}", home=home),
        ]
    first = look(view(*facts), 4 * days, fast_rules.RULESET)
    seen = tallied(replace(first, facts=view(*facts).facts))
    COUNTED[0] = 0
    look(seen, 5 * days, fast_rules.RULESET)
    return COUNTED[0]


def test_with_rules_of_every_kind_it_grows_no_faster_either() -> None:
    few, many = look_of_all_kinds(150), look_of_all_kinds(600)
    assert many < 5.5 * few, "four times the facts, and the depth of a search"
    assert many < 9 * 600 * 60


MINUTES = st.integers(0, 12)
MOMENTS = st.lists(st.tuples(MINUTES, st.booleans()), unique_by=lambda one: one[0], max_size=8)
EXITS = st.lists(st.tuples(MINUTES, st.sampled_from([0, 2, -1])), max_size=6)


def slow_last_ended(story: Story) -> Ended | None:
    """The definition: every moment against every exit."""
    closed: list[tuple[Moment, Exit]] = []
    for moment in story.activity:
        later = [end for end in story.exits if end.reach >= moment.at and end.at >= moment.at]
        if later and not moment.passive and not any(end.at < moment.at <= end.reach for end in story.exits):
            closed.append((moment, min(later)))
    cycle = [moment for moment, end in closed if end == closed[-1][1]]
    return Ended(cycle[0], cycle[-1], closed[-1][1]) if closed else None


@given(MOMENTS, EXITS)
def test_the_newest_ended_cycle_is_what_its_definition_says(
    moments: list[tuple[int, bool]], ends: list[tuple[int, int]]
) -> None:
    activity = tuple(Moment(at(m), f"m{m}", "h", passive) for m, passive in sorted(moments))
    reaches = {2: timedelta(minutes=2), 0: timedelta(), -1: timedelta(microseconds=-1)}
    exits = tuple(Exit(at(m), at(m) + reaches[r], Gone.ORDERED, f"e{m}{r}") for m, r in ends)
    story = Story(key="c", activity=activity, exits=exits, speaks=True)
    assert last_ended(story, ignore_passive=True) == slow_last_ended(story)


@given(
    st.lists(st.tuples(MINUTES, st.sampled_from(["tea", "cup", "pot"])), min_size=1, max_size=5),
    st.lists(st.tuples(MINUTES, st.sampled_from(["tea", "cup", "ink"]), st.sampled_from(["", "c"])), max_size=8),
    MINUTES,
)
def test_orders_left_out_of_a_story_change_nothing_in_it(
    filled: list[tuple[int, str]], bought: list[tuple[int, str, str]], anchored: int
) -> None:
    carts = [snap(m, f"m{n}", product) for n, (m, product) in enumerate(filled)]
    orders = [order(m, f"o{n}", product, cart=cart) for n, (m, product, cart) in enumerate(bought)]
    (plain,) = look(view(snap(0, "m", "tea")), 70).decisions
    decision = replace(plain, anchor=at(anchored))
    (told,) = stories(ruleset([CART]), view(*carts, *orders, decisions=[decision]), POLICY)[CART.rule]
    first = {product: min(m for m, p in filled if p == product) for _, product in filled}
    ended = {
        Exit(at(m), at(m) + POLICY.settle, Gone.ORDERED, f"o{n}")
        for n, (m, product, cart) in enumerate(bought)
        if cart or first.get(product, m + 1) <= m
    }
    whole = replace(told, exits=(*(end for end in told.exits if end.why is not Gone.ORDERED), *sorted(ended)))
    assert told.gone_until == whole.gone_until
    assert last_ended(told, ignore_passive=True) == last_ended(whole, ignore_passive=True)
    by_rule = {CART.rule: [told]}, {CART.rule: [whole]}
    few, all_ = (endings(one, [decision], at(80)) for one in by_rule)
    assert few == all_
