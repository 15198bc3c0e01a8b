"""`recall`: one test for each sentence of triggers.md §4.2 and §5 that speaks of orders."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tern_triggers.domain.decisions import Decision
from tern_triggers.domain.facts import Fact
from tern_triggers.domain.folds.orders import orders_story, threshold
from tern_triggers.domain.folds.telling import stories
from tern_triggers.domain.narrative import ended_notes
from tern_triggers.domain.rules import Waits, ruleset
from tern_triggers.domain.story import Gone, OrdersShown
from unit.triggers.saying import DAY, OTHER, POLICY, RECALL, at, cancel, candidates_of, fired, order, refund, view

GRACE = 5


def due(*facts: Fact, decisions: tuple[Decision, ...] = ()) -> list[float]:
    """In how many days after the start the recall falls due."""
    found = candidates_of(RECALL, view(*facts, decisions=decisions))
    return [(candidate.due - at(0)) / timedelta(days=1) for candidate in found]


def test_ninety_days_after_the_last_order() -> None:
    assert due(order(0, "o1")) == [90]
    assert due(order(0, "o1"), order(10 * DAY, "o2", home=OTHER)) == [100]


def test_who_never_ordered_is_not_called_back() -> None:
    assert due() == []
    assert due(refund(0, "o1"), cancel(1, "o1")) == []


def test_with_three_orders_the_wait_is_twice_the_usual_gap_within_bounds() -> None:
    def orders(*days: float) -> list[Fact]:
        return [order(day * DAY, f"o{day}") for day in days]

    assert due(*orders(0, 30, 60)) == [60 + 60]
    assert due(*orders(0, 5, 10)) == [10 + 45]
    assert due(*orders(0, 100, 200)) == [200 + 180]
    assert due(*orders(0, 20, 60, 100)) == [100 + 80]
    assert due(*orders(0, 10)) == [10 + 90]


def test_a_flat_wait_stays_flat() -> None:
    days = [at(day * DAY) for day in (0, 30, 60)]
    assert threshold(Waits(timedelta(days=90)), days) == timedelta(days=90)


def test_an_order_counts_once_by_its_earliest_statement() -> None:
    assert due(order(0, "o1", message_id="m1"), order(DAY, "o1", message_id="m2")) == [90]


def test_a_full_refund_restarts_the_wait_at_the_refund_while_an_order_is_kept() -> None:
    orders = (order(0, "o1"), order(10 * DAY, "o2"))
    assert due(*orders, refund(20 * DAY, "o2")) == [110]
    assert due(*orders, cancel(20 * DAY, "o2")) == [110]
    assert due(*orders, refund(20 * DAY, "o2"), refund(20 * DAY, "o1", message_id="r9")) == []


def test_a_refund_is_full_when_no_amount_is_given_or_the_sum_reaches_the_total() -> None:
    orders = (order(0, "o1"), order(0, "o2", total="30", message_id="m2"))
    assert due(*orders, refund(5 * DAY, "o2", "10")) == [90]
    assert due(*orders, refund(5 * DAY, "o2", "10"), refund(8 * DAY, "o2", "20")) == [98]
    assert due(*orders, refund(5 * DAY, "o1", "10")) == [90], "the total of o1 is not known"


def test_refunds_of_unknown_orders_move_nothing() -> None:
    assert due(order(0, "o1"), refund(5 * DAY, "o7"), cancel(6 * DAY, "o8")) == [90]


def test_late_orders_count_for_the_wait() -> None:
    assert due(order(0, "o1"), order(3 * DAY, "o2", late=True)) == [93]


def test_a_decision_holds_until_the_next_move_and_not_beyond() -> None:
    (done,) = fired(view(order(0, "o1")), 90 * DAY + GRACE, [RECALL])
    assert due(order(0, "o1"), decisions=(done,)) == []
    assert due(order(0, "o1"), order(100 * DAY, "o2"), decisions=(done,)) == [190]


def test_of_two_moves_at_one_instant_the_greater_message_names_the_cycle() -> None:
    (candidate,) = candidates_of(RECALL, view(order(0, "o1", message_id="b"), order(0, "o2", message_id="a")))
    assert candidate.cycle_ref == "b"
    (done,) = fired(view(order(0, "o1", message_id="b")), 90 * DAY + GRACE, [RECALL])
    assert due(order(0, "o1", message_id="b"), order(0, "o2", message_id="z"), decisions=(done,)) == []


def test_the_wait_that_an_order_ended_is_noted() -> None:
    seen = view(order(0, "o1"), order(10 * DAY, "o2"), order(20 * DAY, "o3"))
    (note,) = ended_notes(ruleset([RECALL]), stories(ruleset([RECALL]), seen, POLICY), seen, POLICY, at(30 * DAY))
    assert (note.cycle_ref, note.reason, note.facts["exit"]) == ("o2", Gone.ORDERED, "o3")


def test_what_is_shown_are_the_kept_orders() -> None:
    (candidate,) = candidates_of(RECALL, view(order(0, "o1"), order(9 * DAY, "o2"), cancel(10 * DAY, "o2")))
    assert candidate.story.shown == OrdersShown(1, "o1", at(0), timedelta(days=90))


moves = st.lists(
    st.one_of(
        st.builds(
            lambda d, n: order(d * DAY, f"o{n}", total="10", message_id=f"m{n}-{d}"),
            st.integers(0, 9),
            st.integers(0, 3),
        ),
        st.builds(
            lambda d, n, amount: refund(d * DAY, f"o{n}", amount, f"r{n}-{d}-{amount}"),
            st.integers(0, 9),
            st.integers(0, 3),
            st.sampled_from([None, "5", "10"]),
        ),
        st.builds(lambda d, n: cancel(d * DAY + n / 10, f"o{n}"), st.integers(0, 9), st.integers(0, 3)),
    ),
    max_size=12,
)


@given(moves, st.randoms())
def test_any_order_of_arrival_and_any_copies_tell_the_same_story(found: list[Fact], random: object) -> None:
    shuffled = [*found, *found[:3]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    waits = RECALL.waits
    assert orders_story(view(*shuffled).facts, waits) == orders_story(view(*found).facts, waits)
