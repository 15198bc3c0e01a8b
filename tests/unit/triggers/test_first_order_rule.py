"""`fold: first_order`: a kept order with no kept order before it, in any lane (triggers.md §4.2)."""

from __future__ import annotations

from msgspec.structs import replace

from tern_triggers.domain.decisions import Decision
from tern_triggers.domain.endings import Revocation, endings
from tern_triggers.domain.facts import Fact
from tern_triggers.domain.folds.telling import stories
from tern_triggers.domain.rules import RULE, ruleset
from tern_triggers.domain.story import Gone, ReasonShown
from unit.triggers.saying import DAY, OTHER, POLICY, at, cancel, candidates_of, fired, order, refund, story_of, view

FIRST = RULE.validate_python(
    {
        "rule": "thanks",
        "kind": "inactivity",
        "family": "lifecycle",
        "fold": "first_order",
        "key": "order_id",
        "purpose": "marketing",
        "channels": ["email"],
        "steps": [{"after": "24h", "expires_after": "5d"}],
    }
)
GRACE = 5


def first(*facts: Fact, **more: object) -> list[tuple[str, float]]:
    """(order_id, minutes until due)."""
    found = candidates_of(FIRST, view(*facts, **more))  # type: ignore[arg-type]
    return [(one.story.key, (one.due - at(0)).total_seconds() / 60) for one in found]


def decided(*facts: Fact) -> Decision:
    (decision,) = fired(view(*facts), DAY + GRACE, [FIRST])
    return decision


def revoked(decision: Decision, *facts: Fact, now: float = DAY + 60) -> list[tuple[Revocation, Gone]]:
    seen = view(*facts, decisions=[decision])
    told = stories(ruleset([FIRST]), seen, POLICY, at(now))
    return [(one.revocation, one.exit.why) for one in endings(told, seen.decisions, at(now))]


def test_a_day_after_the_one_kept_order() -> None:
    assert first(order(0, "o1")) == [("o1", DAY)]
    assert first() == []


def test_its_message_names_it() -> None:
    assert decided(order(0, "o1", message_id="m1")).cycle_ref == "m1"


def test_another_kept_order_ends_it_before_or_after_it_in_any_lane() -> None:
    assert first(order(0, "o1"), order(60, "o2")) == []
    assert first(order(0, "o1"), order(-60, "o0", late=True)) == []


def test_its_own_refund_or_cancellation_ends_it() -> None:
    assert first(order(0, "o1"), refund(60, "o1")) == []
    assert first(order(0, "o1"), cancel(60, "o1")) == []
    assert first(order(0, "o1", total="10"), refund(60, "o1", "4")) == [("o1", DAY)]


def test_when_the_first_is_taken_back_the_next_is_the_first() -> None:
    assert first(order(0, "o1"), order(60, "o2"), refund(90, "o1")) == [("o2", DAY + 60)]


def test_a_late_first_order_is_nobodys_start() -> None:
    assert first(order(0, "o1", late=True)) == []


def test_the_earliest_statement_counts_over_all_homes() -> None:
    assert first(order(0, "o1", message_id="m1", home=OTHER), order(30, "o1", message_id="m2")) == [("o1", DAY)]


def test_it_is_decided_once_for_an_order_also_when_an_earlier_statement_turns_up() -> None:
    done = decided(order(0, "o1"))
    assert first(order(0, "o1"), order(-30, "o1", message_id="m0"), decisions=[done]) == []


def test_an_order_that_turns_out_to_be_older_retracts_it() -> None:
    done = decided(order(0, "o1"))
    assert revoked(done, order(0, "o1"), order(-60, "o0")) == [(Revocation.RETRACTED, Gone.ORDERED)]
    assert revoked(done, order(0, "o1"), order(60, "o0")) == [(Revocation.RETRACTED, Gone.ORDERED)]
    assert revoked(done, order(0, "o1"), cancel(60, "o1")) == [(Revocation.RETRACTED, Gone.CANCELLED)]


def test_what_comes_after_the_firing_cancels_it() -> None:
    done = decided(order(0, "o1"))
    assert revoked(done, order(0, "o1"), refund(DAY + 30, "o1")) == [(Revocation.CANCELLED, Gone.REFUNDED)]
    assert revoked(done, order(0, "o1"), order(DAY + 30, "o2")) == [(Revocation.CANCELLED, Gone.ORDERED)]


def test_the_order_of_a_decision_has_its_story_though_it_is_no_longer_the_first() -> None:
    done = replace(decided(order(0, "o1")), key="o9")
    seen = view(*(order(n, f"o{n}") for n in range(12)), decisions=[done])
    told = stories(ruleset([FIRST]), seen, POLICY, at(0))["thanks"]
    assert [story.key for story in told] == ["o0", "o9"]


def test_it_shows_the_order() -> None:
    assert story_of(FIRST, view(order(0, "o1"))).shown == ReasonShown({"order_id": "o1"})
    told = story_of(FIRST, view(order(0, "o1", total="12.50")))
    assert (told.shown, str(told.value)) == (ReasonShown({"order_id": "o1", "total": "12.50"}), "12.50")
