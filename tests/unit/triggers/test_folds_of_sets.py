"""Every fold is a function of a set: order of arrival, copies and what was forgotten change nothing (§5, §11.10)."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tern_triggers.domain.facts import Fact
from tern_triggers.domain.folds.addressing import addressed, is_addressed
from tern_triggers.domain.folds.cart import KEEP
from tern_triggers.domain.folds.forgetting import EVENTS, never_read
from tern_triggers.domain.folds.telling import stories
from tern_triggers.domain.rules import ruleset
from tern_triggers.domain.story import Story
from tern_triggers.domain.view import View
from unit.triggers.fast_rules import CART, FIRST, INQUIRY, OFTEN, POLICY, RECALL, RULESET
from unit.triggers.fast_rules import EVENTS as NAMES
from unit.triggers.saying import (
    HOME,
    OTHER,
    at,
    cancel,
    checkout,
    event,
    item,
    order,
    refund,
    said,
    seen_on,
    snap,
    view,
)

MINUTES, NUMBERS, PRODUCTS = st.integers(0, 40), st.integers(0, 300), st.lists(st.sampled_from("abc"), max_size=2)
HOMES = st.sampled_from([HOME, OTHER])
TICKETS = st.sampled_from(["t1", "t2", 7, True])

facts = st.one_of(
    st.builds(
        lambda how, m, n, found, cart, home, late: said(
            how, m, f"c{n}", *map(item, found), cart=cart, home=home, late=late
        ),
        st.sampled_from(["snapshot", "add", "remove"]),
        MINUTES,
        NUMBERS,
        PRODUCTS,
        st.sampled_from(["", "c"]),
        HOMES,
        st.booleans(),
    ),
    st.builds(lambda m, n, home: checkout(m, f"k{n}", home=home), MINUTES, NUMBERS, HOMES),
    st.builds(
        lambda m, n, o, found, home: order(m, f"o{o}", *found, message_id=f"o{n}", home=home),
        MINUTES,
        NUMBERS,
        st.integers(0, 3),
        PRODUCTS,
        HOMES,
    ),
    st.builds(lambda m, n, o: refund(m, f"o{o}", message_id=f"r{n}"), MINUTES, NUMBERS, st.integers(0, 3)),
    st.builds(lambda m, o: cancel(m + o / 10, f"o{o}"), MINUTES, st.integers(0, 3)),
    st.builds(
        lambda name, m, n, ticket, product, home, late: event(
            name, m, f"e{n}", home=home, late=late, ticket_id=ticket, product_id=product, score=n % 11, seconds=n % 9
        ),
        st.sampled_from(NAMES),
        MINUTES,
        NUMBERS,
        TICKETS,
        st.sampled_from("ab"),
        HOMES,
        st.booleans(),
    ),
    st.builds(lambda m, n, known: seen_on(m * 500, f"s{n}", known=known), MINUTES, NUMBERS, st.booleans()),
)


def told(seen: View) -> dict[str, list[Story]]:
    """What all folds tell. Exits are in no order."""
    found = stories(RULESET, seen, POLICY, at(0))
    return {
        rule: [replace(story, exits=tuple(sorted(story.exits))) for story in of_rule] for rule, of_rule in found.items()
    }


@settings(max_examples=150)
@given(st.lists(facts, max_size=30, unique_by=lambda fact: fact.name), st.randoms())
def test_any_order_of_arrival_and_any_copies_tell_the_same_stories(found: list[Fact], random: Any) -> None:
    shuffled = [*found, *found[:5]]
    random.shuffle(shuffled)
    assert told(view(*shuffled)) == told(view(*found))


@settings(max_examples=100)
@given(st.lists(facts, max_size=20, unique_by=lambda fact: fact.name), st.integers(1, 5), st.randoms())
def test_copies_with_another_clock_count_once_whichever_came_first(found: list[Fact], later: int, random: Any) -> None:
    copies = [replace(fact, at=fact.at + (at(later) - at(0))) for fact in found if random.random() < 0.4]
    both = [*found, *copies]
    random.shuffle(both)
    newest = view(*both).newest
    assert told(view(*both)) == told(view(*found, newest=newest))


@given(st.lists(facts, max_size=40, unique_by=lambda fact: fact.name), st.integers(1, 4), st.integers(1, 4))
def test_what_is_kept_are_the_newest_of_each_and_forgetting_twice_forgets_no_more(
    found: list[Fact], carts: int, events: int
) -> None:
    gone = {fact.name for fact in never_read(found, carts, events)}
    left = [fact for fact in found if fact.name not in gone]
    assert never_read(left, carts, events) == []
    assert len(never_read(found[::-1], carts, events)) == len(gone)
    for old in (fact for fact in found if fact.name in gone and fact.kind == "event"):
        newer = [f for f in left if (f.home_id, f.kind, f.key) == (old.home_id, old.kind, old.key)]
        assert len(newer) == events
        assert all((f.at, f.message_id) > (old.at, old.message_id) for f in newer)


def test_orders_and_what_becomes_of_them_are_all_kept() -> None:
    found = [*(order(n, f"o{n}") for n in range(900)), *(refund(n, f"o{n}") for n in range(900)), cancel(1, "o1")]
    assert never_read(found) == []


def test_a_thousand_events_tell_what_the_newest_tell_whether_or_not_the_others_are_still_there() -> None:
    viewed = [event("Product Viewed", n, f"m{n:04}", product_id="tea", seconds=1) for n in range(EVENTS + 40)]
    filled = [checkout(n, f"k{n:04}") for n in range(KEEP + 40)]
    everything = [*viewed, *filled]
    gone = {fact.name for fact in never_read(everything)}
    left = [fact for fact in everything if fact.name not in gone]
    assert len(gone) == 80
    assert told(view(*everything)) == told(view(*left))
    late = event("Product Viewed", 3.5, "late", product_id="tea")
    assert told(view(*everything, late)) == told(view(*left, late)) == told(view(*left))


def test_carts_orders_and_tickets_are_looked_up_by_their_keys_whoever_speaks_of_them() -> None:
    rules = ruleset([CART, FIRST, INQUIRY, OFTEN, RECALL])
    assert [one.rule for one in rules.rules if is_addressed(one)] == [CART.rule, FIRST.rule, INQUIRY.rule]
    found = [
        snap(0, "m1", "tea", cart="c1"),
        snap(0, "m2", "tea", cart=""),
        checkout(0, "m3", "c2"),
        order(0, "o1", cart="c9"),
        event("Inquiry Closed", 0, "m4", ticket_id="t1"),
        event("Inquiry Opened", 0, "m5"),
        event("Product Viewed", 0, "m6", ticket_id="t2", product_id="tea"),
    ]
    assert addressed(rules, found) == {"c1", "c2", "o1", "t1"}
    assert addressed(ruleset([RECALL]), found) == set()
