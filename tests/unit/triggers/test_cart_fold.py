"""The fold of a cart (triggers.md §5): a function of the set of its newest events, whatever order they come in."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tern_common.commerce import Item
from tern_triggers.domain.facts import Fact, distinct
from tern_triggers.domain.folds.cart import KEEP, fold_cart, held_carts, newest_kept, total
from tern_triggers.domain.folds.forgetting import never_read
from unit.triggers.saying import OTHER, at, checkout, item, order, said, snap

HOWS = ("snapshot", "add", "remove")

facts = st.builds(
    lambda how, minute, number, items, late: said(
        how, minute, f"m{number}", *(item(p, q) for p, q in items), late=late
    ),
    st.sampled_from(HOWS),
    st.integers(0, 6),
    st.integers(0, 60),
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=3),
    st.booleans(),
)
unique_facts = st.lists(facts, max_size=25, unique_by=lambda fact: fact.message_id)


@given(unique_facts, st.randoms())
def test_any_order_of_arrival_folds_to_the_same_cart(found: list[Fact], random: object) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert fold_cart(shuffled) == fold_cart(found)


@given(unique_facts)
def test_a_copy_changes_nothing(found: list[Fact]) -> None:
    assert fold_cart(distinct([*found, *found])) == fold_cart(distinct(found))


@given(unique_facts, st.integers(1, 8))
def test_only_the_newest_count_and_forgetting_the_others_changes_nothing(found: list[Fact], keep: int) -> None:
    forgotten = never_read(found, carts=keep)
    left = [fact for fact in found if fact not in forgotten]
    assert fold_cart(left, keep) == fold_cart(found, keep)
    assert len(left) <= keep


@given(unique_facts)
def test_nothing_is_ever_negative(found: list[Fact]) -> None:
    assert all(line.quantity > 0 for line in fold_cart(found).lines.values())


def test_two_hundred_events_are_kept() -> None:
    found = [snap(minute, f"m{minute:03}", "a") for minute in range(KEEP + 5)]
    assert newest_kept(found)[0].message_id == "m005"
    assert [fact.message_id for fact in never_read([*found, checkout(1, "k")])] == [f"m{n:03}" for n in range(5)]


def test_a_snapshot_of_the_same_instant_already_contains_the_delta() -> None:
    cart = fold_cart([snap(1, "a-first", "tea"), said("add", 1, "z-last", item("tea"))])
    assert cart.lines["tea"].quantity == 1


def test_a_repeated_equal_snapshot_is_no_change() -> None:
    cart = fold_cart([snap(0, "m1", "tea"), snap(5, "m2", "tea"), snap(7, "m3", "tea", "cup")])
    assert [change.message_id for change in cart.changes] == ["m1", "m3"]


def test_what_is_removed_to_nothing_empties_the_cart() -> None:
    cart = fold_cart([snap(0, "m1", "tea"), said("remove", 3, "m2", item("tea", 5))])
    assert (dict(cart.lines), [empty.at for empty in cart.empties]) == ({}, [at(3)])


def test_removing_what_was_never_there_is_nothing() -> None:
    cart = fold_cart([said("remove", 3, "m2", item("tea"))])
    assert (cart.lines, cart.changes, cart.empties) == ({}, (), ())


def test_an_empty_snapshot_says_that_the_cart_is_empty_now() -> None:
    assert [empty.at for empty in fold_cart([snap(3, "m1")]).empties] == [at(3)]


def test_lines_of_one_product_add_up_and_keep_the_newest_price_and_name() -> None:
    first = Item("tea", 1, Decimal(2), "Tea")
    cart = fold_cart([said("snapshot", 0, "m1", first, first), said("add", 1, "m2", Item("tea", 1, Decimal(3), None))])
    assert cart.lines["tea"] == Item("tea", 3, Decimal(3), "Tea")
    again = fold_cart([said("snapshot", 0, "m1", first), said("add", 1, "m2", Item("tea", 1, None, "Green tea"))])
    assert again.lines["tea"] == Item("tea", 2, Decimal(2), "Green tea")


def test_a_product_is_first_seen_when_first_mentioned_and_not_by_a_line_of_none() -> None:
    cart = fold_cart([snap(0, "m1", "tea"), said("snapshot", 1, "m2", item("cup", 0)), snap(4, "m3", "tea", "cup")])
    assert cart.first_seen == {"tea": at(0), "cup": at(4)}


def test_the_total_is_unknown_when_a_price_is() -> None:
    assert total([item("tea", 2, "1.50"), item("cup", 1, "4")]) == Decimal("7.00")
    assert total([item("tea", 2, "1.50"), item("cup", 1)]) is None


def test_named_carts_are_those_of_cart_and_checkout_events() -> None:
    told = [snap(0, "m1", "tea", cart=""), snap(0, "m2", "tea", cart="c2"), checkout(1, "m3", "c3", OTHER)]
    assert held_carts([*told, order(2, "o1", cart="c4")]) == {"c2", "c3"}
