"""History, new rules and imports: who is only just past is taken up, who is long past is not (triggers.md §6)."""

from __future__ import annotations

from datetime import timedelta

from tern_triggers.domain.arbiter.draws import spread
from tern_triggers.domain.decisions import Outcome, Why
from tern_triggers.domain.rounds import after
from unit.triggers.arbiter.cases import (
    FIRED,
    NO_CAPS,
    Said,
    ann,
    judged,
    live,
    look,
    rule,
    story,
    suppressed,
)
from unit.triggers.saying import DAY, HOME, HOUR, at

CALL_BACK = rule(history="enrol", steps=[{"after": "90d", "expires_after": "14d"}])
LATER = spread(HOME, "nudge", timedelta(days=7)) / timedelta(minutes=1)


def recalled(days_ago: float, *, since: float | None = 0, passive: bool = False) -> Said:
    """What becomes of somebody whose last order is so old, when first looked at."""
    began = story(minutes=-days_ago * DAY, passive=passive)
    return judged(CALL_BACK, ann(), 0, of=began, since=since)


def test_whose_last_order_is_95_days_ago_is_recalled_within_a_week() -> None:
    found = recalled(95)
    assert (found.outcome, found.why) == (None, Why.HISTORY)
    assert found.until == LATER
    assert 0 <= LATER < 7 * DAY


def test_whose_last_order_is_400_days_ago_is_not() -> None:
    assert recalled(400) == suppressed(Why.HISTORY)
    assert recalled(120) != suppressed(Why.HISTORY)
    assert recalled(120.1) == suppressed(Why.HISTORY)


def test_what_is_long_past_ends_the_whole_cycle() -> None:
    steps = [{"after": "90d", "expires_after": "14d"}, {"after": "120d", "expires_after": "14d"}]
    two = rule(history="enrol", steps=steps)
    view = ann()
    told = {"nudge": [story(minutes=-130 * DAY)]}
    found = look([two], told, view, 0, since={"nudge": at(0)})
    assert [one.decision.reason for one in found.rulings] == [Why.HISTORY]
    assert live([two], told, after(view, found), 60 * DAY).looks == 0


def test_who_falls_due_after_the_rule_went_live_is_of_the_present() -> None:
    assert judged(CALL_BACK, ann(), 5, of=story(minutes=-90 * DAY), since=0) == FIRED
    assert judged(CALL_BACK, ann(), 5, of=story(minutes=-90 * DAY - 1), since=0).why is Why.HISTORY


def test_imported_history_is_taken_up_when_it_has_come() -> None:
    found = recalled(95, since=None, passive=True)
    assert (found.why, found.until) == (Why.HISTORY, LATER)
    assert recalled(121, since=None, passive=True) == suppressed(Why.HISTORY)
    assert recalled(95, since=-1000 * DAY, passive=True).why is Why.HISTORY


def test_old_orders_that_are_imported_long_after_the_rule_went_live_are_measured_by_now() -> None:
    assert recalled(400, since=-300 * DAY, passive=True) == suppressed(Why.HISTORY)


def test_imported_history_that_falls_due_later_is_decided_in_its_own_round() -> None:
    assert judged(CALL_BACK, ann(), 5, of=story(minutes=-90 * DAY, passive=True)) == FIRED
    assert judged(CALL_BACK, ann(), 14, of=story(minutes=-90 * DAY, passive=True)) == FIRED
    assert judged(CALL_BACK, ann(), 16, of=story(minutes=-90 * DAY, passive=True)).why is Why.HISTORY


def test_a_late_look_at_what_came_in_time_is_no_history() -> None:
    assert recalled(95, since=None) == FIRED


def test_expiry_counts_from_when_it_was_taken_up_whatever_it_waits_for_later() -> None:
    told = {"nudge": [story(minutes=-95 * DAY)]}
    view = ann()
    found = look([CALL_BACK], told, view, 0, since={"nudge": at(0)})
    (taken,) = found.deferrals
    assert taken.enrolled == taken.until == at(LATER)
    waiting = after(view, found)
    (ruling,) = look([CALL_BACK], told, waiting, LATER + 1, since={"nudge": at(0)}).rulings
    assert ruling.decision.outcome is Outcome.FIRED
    assert ruling.decision.expires == at(LATER + 14 * DAY)
    assert ruling.decision.due == at(-5 * DAY)
    later = taken._replace(why=Why.CAPPED, until=at(LATER + 2 * DAY))
    capped = ann(deferrals={taken.trigger_id: later})
    (ruling,) = look([CALL_BACK], told, capped, LATER + 13 * DAY, since={"nudge": at(0)}).rulings
    assert (ruling.decision.outcome, ruling.decision.expires) == (Outcome.FIRED, at(LATER + 14 * DAY))
    (ruling,) = look([CALL_BACK], told, capped, LATER + 15 * DAY, since={"nudge": at(0)}).rulings
    assert ruling.decision.reason is Why.EXPIRED


def test_what_was_taken_up_stays_so_when_it_has_to_wait_again() -> None:
    text = rule(history="enrol", channels=["sms"], steps=[{"after": "90d", "expires_after": "14d"}])
    told = {"nudge": [story(minutes=-95 * DAY)]}
    (taken,) = look([text], told, ann(), 0, since={"nudge": at(0)}).deferrals
    night = taken._replace(until=at(9 * HOUR), enrolled=at(9 * HOUR))
    seen = ann(deferrals={taken.trigger_id: night})
    (again,) = look([text], told, seen, 9 * HOUR, since={"nudge": at(0)}).deferrals
    assert (again.why, again.until, again.enrolled) == (Why.QUIET, at(20 * HOUR), at(9 * HOUR))


def test_a_rule_that_spreads_over_no_time_takes_everybody_up_in_the_next_round() -> None:
    eager = CALL_BACK.model_copy(update={"spread": timedelta()})
    told = {"nudge": [story(minutes=-95 * DAY)]}
    life = live([eager], told, ann(), DAY, NO_CAPS)
    assert [one.outcome for one in life.view.decisions] == [Outcome.FIRED]
    (waiting,) = look([eager], told, ann(), 0, since={"nudge": at(0)}).deferrals
    assert at(0) < waiting.until < at(1)
