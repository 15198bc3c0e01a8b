"""Each deliberately broken arbiter is caught: by random histories where these can tell, else by the named example."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from tern_triggers.domain import candidates, rounds
from tern_triggers.domain.arbiter import caps, holdout, hours, incentives, judging, reach, stock
from tern_triggers.domain.arbiter.case import Case, Way, suppressed
from tern_triggers.domain.arbiter.draws import bucket
from tern_triggers.domain.arbiter.judging import Check
from tern_triggers.domain.arbiter.ledger import Ledger
from tern_triggers.domain.decisions import Outcome, Why
from tern_triggers.domain.moments import NEVER
from tern_triggers.domain.policy import QuietHours
from unit.triggers.arbiter import (
    test_caps,
    test_channels,
    test_history_and_enrolment,
    test_hold_out,
    test_order_of_checks,
    test_quiet_and_best_hours,
    test_stock_and_incentives,
)
from unit.triggers.arbiter.cases import before
from unit.triggers.arbiter.histories import Life, promises
from unit.triggers.saying import OTHER, at

pytestmark = pytest.mark.teeth

SEEDS = range(150)


def histories() -> None:
    for seed in SEEDS:
        promises(Life(seed).live())


def every_answer() -> None:
    for status in ("confirmed", "rejected"):
        test_stock_and_incentives.test_an_answer_ends_the_wait_and_everything_is_checked_again(status)


def a_gap() -> None:
    quiet = QuietHours.model_validate({"begin": "22:00", "end": "02:30"})
    test_quiet_and_best_hours.test_the_end_of_quiet_hours(
        "2026-03-28T22:00", "Europe/Berlin", quiet, "2026-03-29T01:00"
    )


OTHERS, FREED = before(0, home_id=OTHER), before(0, released_at=at(1))
FREE_AT, LIMITS, ADD, INIT = caps._free_at, caps._limits, Ledger.add, Ledger.__init__


def a_slot_early(case: Case, channel: str | None) -> datetime | None:
    free = FREE_AT(case, channel)
    return free if free is None or free == NEVER else free - case.policy.slot


def the_past_alone(case: Case, channel: str | None) -> datetime | None:
    free = FREE_AT(case, channel)
    day = case.policy.arbiter.caps[0].window
    return NEVER if free is not None and free > case.present + day else free


def without_own(case: Case, channel: str | None) -> Any:
    return list(LIMITS(case, channel))[: sum(cap.channel == channel for cap in case.policy.arbiter.caps)]


def only_history(self: Ledger, view: Any, ruleset: Any) -> None:
    """Does not see what the same sitting decided."""
    INIT(self, view, ruleset)
    setattr(self, "add", lambda _decision: None)  # noqa: B010 - an attribute of this one alone


def one_home(self: Ledger, view: Any, ruleset: Any) -> None:
    from_home = [one for one in view.decisions if one.home_id == "a" * 32]
    INIT(self, replace(view, decisions=from_home), ruleset)


def all_homes(self: Ledger, view: Any, ruleset: Any) -> None:
    INIT(self, replace(view, homes={one.home_id for one in view.decisions}), ruleset)


def adds(**changed: Any) -> Callable[[Ledger, Any], None]:
    return lambda self, decision: ADD(self, replace(decision, **changed))


def held_out_like_fired(self: Ledger, decision: Any) -> None:
    held = decision.outcome is Outcome.HELD_OUT
    ADD(self, replace(decision, outcome=Outcome.FIRED) if held else decision)


def instead(check: Check, ask: Any) -> Any:
    return tuple((one, contacts, ask if one is check else old) for one, contacts, old in judging._CHECKS)


def earlier(check: Check, than: Check) -> Any:
    (moved,) = (one for one in judging._CHECKS if one[0] is check)
    rest = [one for one in judging._CHECKS if one[0] is not check]
    place = [one[0] for one in rest].index(than)
    return (*rest[:place], moved, *rest[place:])


def passes(case: Case, way: Way) -> Way:
    return way


def expiry_by_round(case: Case, way: Way) -> Any:
    return suppressed(Why.EXPIRED) if case.present > case.candidate.expires else way


def naive(day: Any, at: Any, zone: Any) -> datetime:
    return datetime.combine(day, at, zone).astimezone(UTC)


def unless_refused(purpose: str, channel: str, view: Any) -> bool:
    return all(voice.of(purpose, channel) is not False for voice in (*view.voices, *view.former))


def own_profile_alone(purpose: str, channel: str, view: Any) -> bool:
    return any(voice.of(purpose, channel) for voice in view.voices)


def drawn_anew(case: Case) -> bool:
    drawn = bucket(case.policy.arbiter.salt, case.candidate.rule.rule, case.view.customer_id)
    return drawn >= 5000


def longest_due_last(candidate: Any) -> Any:
    return candidate.due, candidate.story.key


BROKEN: dict[str, tuple[Any, str, Any, Callable[[], None]]] = {
    "slots free too early": (caps, "_free_at", a_slot_early, histories),
    "later rounds do not count": (
        caps,
        "_free_at",
        the_past_alone,
        test_caps.test_later_rounds_count_so_that_a_late_candidate_cannot_slip_under_a_cap_through_its_past,
    ),
    "the first cap alone": (caps, "_limits", lambda *asked: list(LIMITS(*asked))[:1], histories),
    "the customer's own setting is ignored": (caps, "_limits", without_own, histories),
    "channels have no caps": (caps, "_free_at", lambda case, _channel: FREE_AT(case, None), histories),
    "siblings do not see each other": (Ledger, "__init__", only_history, histories),
    "a merge forgets the other half": (Ledger, "__init__", one_home, histories),
    "a stranger's contacts count": (Ledger, "__init__", all_homes, lambda: test_caps.test_what_takes_no_slot(OTHERS)),
    "shadows take slots": (
        Ledger,
        "add",
        adds(mode="live"),
        test_caps.test_live_rules_never_see_shadows_and_a_shadow_sees_what_is_live_and_itself,
    ),
    "released slots stay taken": (
        Ledger,
        "add",
        adds(released_at=None),
        lambda: test_caps.test_what_takes_no_slot(FREED),
    ),
    "tasks take slots": (
        Ledger,
        "add",
        adds(act="contact"),
        lambda: test_order_of_checks.test_what_is_no_contact_takes_no_slot("task"),
    ),
    "the control takes slots": (
        Ledger,
        "add",
        held_out_like_fired,
        test_hold_out.test_the_control_takes_no_slot_but_passes_the_same_checks,
    ),
    "no frequency": (judging, "_CHECKS", instead(Check.FREQUENCY, passes), histories),
    "frequency ends only the step": (
        candidates,
        "ENDS_CYCLE",
        frozenset(),
        test_caps.test_at_most_one_first_step_in_every_so_long_and_that_ends_the_cycle,
    ),
    "expiry by the round": (
        judging,
        "_CHECKS",
        instead(Check.EXPIRY, expiry_by_round),
        test_order_of_checks.test_expiry_is_by_the_clock_whatever_the_round,
    ),
    "no expiry": (judging, "_CHECKS", instead(Check.EXPIRY, passes), histories),
    "waits may pass the expiry": (
        Case,
        "in_time",
        lambda _case, _until: True,
        test_caps.test_full_beyond_expiry_is_suppressed_at_once,
    ),
    "quiet hours by the round alone": (Case, "moment", property(lambda case: case.present), histories),
    "quiet hours in UTC": (hours, "zone_of", lambda *_: ZoneInfo("UTC"), histories),
    "quiet hours end with the day": (hours, "DAY", hours.HOUR * 0, histories),
    "no quiet hours": (judging, "_CHECKS", instead(Check.QUIET, passes), histories),
    "a gap is jumped over": (hours, "at_local", naive, a_gap),
    "the best hour is waited for again and again": (
        hours,
        "_waited",
        lambda _case: False,
        test_quiet_and_best_hours.test_best_hour_is_waited_for_once,
    ),
    "unknown consent grants": (
        reach,
        "granted",
        unless_refused,
        test_channels.test_only_what_is_granted_now_may_be_used,
    ),
    "former refusals are forgotten": (
        reach,
        "granted",
        own_profile_alone,
        test_channels.test_a_former_id_that_refuses_a_channel_refuses_it,
    ),
    "any contact will do": (
        reach,
        "_usable",
        lambda point, _case: point is not None,
        test_channels.test_a_contact_that_only_a_browser_named_is_used_where_the_shop_allows_it,
    ),
    "caps before quiet hours": (
        judging,
        "_CHECKS",
        earlier(Check.CAPS, Check.QUIET),
        lambda: test_order_of_checks.test_the_first_check_that_fails_gives_the_reason(7, Why.QUIET),
    ),
    "frequency before consent": (
        judging,
        "_CHECKS",
        earlier(Check.FREQUENCY, Check.CONSENT),
        lambda: test_order_of_checks.test_the_first_check_that_fails_gives_the_reason(3, Why.NO_CONSENT),
    ),
    "the draw is not frozen": (
        holdout,
        "_is_treated",
        drawn_anew,
        test_hold_out.test_whoever_was_ever_treated_is_never_put_into_the_control,
    ),
    "everybody is treated": (
        holdout,
        "_is_treated",
        lambda _case: True,
        test_hold_out.test_the_share_is_the_share,
    ),
    "an answer about stock is not heard": (rounds, "is_answered", lambda *_: False, every_answer),
    "stock is asked for again and again": (
        stock,
        "_is_asked",
        lambda _deferral: False,
        test_stock_and_incentives.test_without_a_word_of_the_request_itself_the_plain_reminder_goes_too,
    ),
    "offers without a plain step": (
        incentives,
        "_plain_step_failed",
        lambda _case: True,
        test_stock_and_incentives.test_an_offer_is_made_only_after_the_plain_step_failed,
    ),
    "history forgets when it was taken up": (
        candidates.Candidate,
        "expires",
        property(lambda one: one.due + one.rule.steps[one.step].expires_after),
        test_history_and_enrolment.test_expiry_counts_from_when_it_was_taken_up_whatever_it_waits_for_later,
    ),
    "rank by due alone": (rounds, "rank", longest_due_last, test_caps.test_several_carts_the_most_valuable_speaks),
}


def is_caught(by: Callable[[], None]) -> bool:
    """A wrong number of rulings to unpack tells as much as an assertion."""
    try:
        by()
    except (AssertionError, ValueError, IndexError):
        return True
    return False


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_arbiter_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, attribute, broken, catch = BROKEN[name]
    assert not is_caught(catch), "the arbiter as it is"
    monkeypatch.setattr(where, attribute, broken)
    assert is_caught(catch)
