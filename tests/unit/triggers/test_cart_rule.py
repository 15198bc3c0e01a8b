"""`cart_abandoned`: one test for each sentence of triggers.md §4.1, §4.2 and §5 that speaks of carts."""

from __future__ import annotations

import pytest

from tern_triggers.domain.decisions import Decision, Outcome, Why, trigger_id
from tern_triggers.domain.facts import Fact
from tern_triggers.domain.folds.cart import Newest, Ordered
from tern_triggers.domain.folds.telling import stories
from tern_triggers.domain.narrative import ended_notes
from tern_triggers.domain.rules import Rule, ruleset
from tern_triggers.domain.story import Gone
from unit.triggers.saying import (
    CART,
    HOME,
    HOUR,
    OTHER,
    POLICY,
    at,
    candidates_of,
    checkout,
    decided,
    fired,
    item,
    order,
    said,
    snap,
    view,
)

READY = 65.0
"""Minutes from a change at a full minute to its round: an hour, and five minutes of grace."""


def only(*facts: Fact, **more: object) -> Decision:
    """The one decision there is when all has come due."""
    (decision,) = fired(view(*facts, **more), 80 * HOUR, [CART])  # type: ignore[arg-type]
    return decision


def starts(*facts: Fact, **more: object) -> list[str]:
    """The message ids that started what is going on."""
    return [candidate.start.message_id for candidate in candidates_of(CART, view(*facts, **more))]  # type: ignore[arg-type]


def test_due_is_an_hour_after_the_last_change_and_ready_after_the_grace_at_the_next_slot() -> None:
    seen = view(snap(0.5, "m1", "tea"))
    assert fired(seen, READY + 0.5) == []
    (decision,) = fired(seen, READY + 1)
    assert (decision.due, decision.round) == (at(60.5), at(READY + 1))


def test_a_change_restarts_the_wait() -> None:
    assert only(snap(0, "m1", "tea"), snap(50, "m2", "tea", "cup")).due == at(110)


def test_a_repeated_equal_snapshot_does_not() -> None:
    assert only(snap(0, "m1", "tea"), snap(50, "m2", "tea")).due == at(60)


def test_the_wait_is_held_at_most_max_hold() -> None:
    changes = [snap(hour * 60, f"m{hour:02}", *"abc"[: 1 + hour % 2]) for hour in range(80)]
    assert candidates_of(CART, view(*changes))[0].anchor == at(72 * HOUR)


@pytest.mark.parametrize(
    "exit_",
    [
        order(30, "o1", cart="c"),
        order(30, "o1", "tea"),
        order(30, "o1", "tea", cart="another"),
        snap(30, "m2"),
        said("remove", 30, "m2", item("tea")),
        checkout(30, "m2"),
    ],
)
def test_an_exit_after_the_change_ends_it(exit_: Fact) -> None:
    assert starts(snap(0, "m1", "tea"), exit_) == []


@pytest.mark.parametrize(
    "other",
    [
        order(30, "o1", "soap"),
        order(30, "o1", cart="another"),
        checkout(30, "m2", "another"),
        order(-1, "o1", "tea"),
    ],
)
def test_what_concerns_another_cart_or_another_time_ends_nothing(other: Fact) -> None:
    assert starts(snap(0, "m1", "tea"), other) == ["m1"]


def test_an_order_of_a_product_that_had_been_in_the_cart_ends_it_though_it_was_taken_out() -> None:
    assert starts(snap(0, "m1", "tea", "cup"), snap(5, "m2", "cup"), order(9, "o1", "tea")) == []


def test_an_order_naming_the_cart_ends_it_whoever_placed_it() -> None:
    assert starts(snap(0, "m1", "tea"), foreign={"c": [Ordered(at(30), "o9")]}) == []


def test_an_exit_at_the_very_moment_of_the_change_ends_it() -> None:
    assert starts(snap(0, "m1", "tea"), checkout(0, "m2")) == []


def test_an_exit_before_the_anchor_leaves_what_came_after_it() -> None:
    assert starts(snap(0, "m1", "tea"), checkout(10, "m2"), snap(20, "m3", "tea", "cup")) == ["m3"]


def test_the_echo_of_an_order_starts_nothing_and_what_comes_after_it_does() -> None:
    story = [snap(0, "m1", "tea", "cup"), order(30, "o1", "tea"), snap(31.9, "m2", "cup")]
    assert starts(*story) == []
    assert starts(*story, snap(33, "m3", "cup", "pot")) == ["m3"]


def test_only_orders_have_an_echo() -> None:
    assert starts(snap(0, "m1", "tea"), checkout(30, "m2"), snap(30.5, "m3", "cup")) == ["m3"]


def test_late_events_start_and_reset_nothing_but_end_and_count_as_content() -> None:
    assert starts(snap(0, "m1", "tea", late=True)) == []
    seen = view(snap(0, "m1", "tea"), said("add", 30, "m2", item("cup"), late=True))
    (candidate,) = candidates_of(CART, seen)
    assert (candidate.anchor, candidate.story.shown.items) == (at(0), (item("cup"), item("tea")))  # type: ignore[union-attr]
    assert starts(snap(0, "m1", "tea"), snap(30, "m2", late=True)) == []


def test_the_unnamed_carts_of_all_homes_are_one_and_every_order_id_leaves_it_alone() -> None:
    seen = view(snap(0, "m1", "tea", cart=""), said("add", 5, "m2", item("cup"), cart="", home=OTHER))
    (candidate,) = candidates_of(CART, seen)
    assert (candidate.story.key, candidate.anchor) == ("", at(5))
    assert starts(snap(0, "m1", "tea", cart=""), order(9, "o1", "soap")) == ["m1"]


def test_the_cart_speaks_only_for_the_holder_of_its_newest_event() -> None:
    theirs = {"c": Newest(at(5), "m9", "f" * 32)}
    assert starts(snap(0, "m1", "tea"), newest=theirs) == []
    assert starts(snap(0, "m1", "tea", home=OTHER), newest={"c": Newest(at(5), "m9", HOME)}) == ["m1"]


def test_several_carts_are_several_reasons() -> None:
    found = fired(view(snap(0, "m1", "tea", cart="c1"), snap(1, "m2", "cup", cart="c2")), READY + 1, [CART])
    assert sorted(decision.key for decision in found) == ["c1", "c2"]


def test_the_trigger_is_named_after_rule_cart_cycle_and_step_and_after_no_customer() -> None:
    decision = only(snap(0, "m1", "tea"))
    assert decision.trigger_id == trigger_id("cart_abandoned", "c", "m1", 0)
    assert only(snap(0, "m1", "tea", home=OTHER)).trigger_id == decision.trigger_id


def test_a_step_is_decided_once_in_a_cycle() -> None:
    done = only(snap(0, "m1", "tea"))
    assert starts(snap(0, "m1", "tea"), snap(70, "m2", "tea", "cup"), decisions=[done]) == []


@pytest.mark.parametrize("late", [snap(-30, "m0", "pot"), checkout(-20, "m0"), snap(-10, "m0")])
def test_an_earlier_start_or_exit_that_turns_up_late_reopens_nothing(late: Fact) -> None:
    done = only(snap(0, "m1", "tea"))
    assert starts(snap(0, "m1", "tea"), late, decisions=[done]) == []


def test_an_exit_after_the_anchor_closes_the_cycle_and_the_next_may_speak() -> None:
    done = only(snap(0, "m1", "tea"))
    story = (snap(0, "m1", "tea"), checkout(90, "m2"), snap(100, "m3", "cup"))
    (decision,) = fired(view(*story, decisions=[done]), 80 * HOUR, [CART])
    assert decision.cycle_ref == "m3"


def test_a_cart_is_decided_once_between_two_exits_whoever_holds_it() -> None:
    theirs = only(snap(0, "m1", "tea", home=OTHER))
    assert starts(snap(5, "m2", "tea"), decisions=[theirs]) == []


def test_a_suppressed_step_is_decided_too() -> None:
    refused = only(snap(0, "m1", "tea"), profile=None)
    assert (refused.outcome, refused.reason) == (Outcome.SUPPRESSED, Why.EXPIRED)
    assert starts(snap(0, "m1", "tea"), decisions=[refused]) == []


def test_the_note_of_an_ended_cycle_says_why_and_decides_nothing() -> None:
    story = (snap(0, "m1", "tea"), order(30, "o1", "tea"))
    (note,) = notes(*story)
    assert (note.outcome, note.reason, note.facts["exit"]) == (Outcome.ENDED, Gone.ORDERED, "o1")
    assert starts(*story, snap(60, "m2", "cup"), decisions=[note]) == ["m2"]


def test_a_note_stays_a_note_when_a_late_event_undoes_the_exit() -> None:
    story = (snap(0, "m1", "tea"), said("remove", 30, "m2", item("tea")))
    (note,) = notes(*story)
    assert note.reason is Gone.EMPTIED
    assert starts(*story, said("add", 20, "m3", item("cup")), decisions=[note]) == ["m1"]


def test_the_note_of_a_rule_in_shadow_is_a_shadow_too() -> None:
    story = (snap(0, "m1", "tea"), order(30, "o1", "tea"))
    (note,) = notes(*story, rule=CART.model_copy(update={"mode": "shadow"}))
    assert (note.mode, note.outcome) == ("shadow", Outcome.ENDED)


def notes(*facts: Fact, decisions: tuple[Decision, ...] = (), rule: Rule = CART) -> list[Decision]:
    seen, rules = view(*facts, decisions=decisions), ruleset([rule])
    return ended_notes(rules, stories(rules, seen, POLICY), seen, POLICY, at(70))


def test_a_cycle_is_noted_once_and_not_when_something_was_decided_in_it() -> None:
    story = (snap(0, "m1", "tea"), order(30, "o1", "tea"))
    assert notes(*story, decisions=tuple(notes(*story))) == []
    done = only(snap(0, "m1", "tea"))
    assert notes(snap(0, "m1", "tea"), order(90, "o1", "tea"), decisions=(done,)) == []


def test_the_note_names_the_exit_that_came_first_and_leaves_the_echo_out() -> None:
    (note,) = notes(snap(0, "m1", "tea", "cup"), snap(5, "m2", "tea"), order(30, "o1", "tea"), snap(30.1, "m3"))
    assert (note.reason, note.cycle_ref, note.anchor) == (Gone.ORDERED, "m1", at(5))
    (after,) = notes(snap(0, "m1", "tea", "cup"), order(30, "o1", "tea"), snap(31, "m3", "cup"))
    assert after.cycle_ref == "m1"


def test_nothing_is_noted_of_a_cart_that_never_started_or_still_goes_on() -> None:
    assert notes(snap(0, "m1", "tea", late=True), order(30, "o1", "tea")) == []
    assert notes(snap(0, "m1", "tea")) == []


def test_the_most_valuable_cart_is_judged_first_in_a_round() -> None:
    cheap = said("snapshot", 0, "m1", item("tea", 1, "2"), cart="c1")
    dear = said("snapshot", 0, "m2", item("pot", 1, "20"), cart="c2")
    assert [ruling.decision.key for ruling in decided(view(cheap, dear), READY)] == ["c2", "c1"]
