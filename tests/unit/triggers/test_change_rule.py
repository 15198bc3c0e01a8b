"""Rules of kind `change`: the customer has entered a class of its profile (triggers.md §3, §4.2)."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from tern_triggers.domain.decisions import Decision, trigger_id
from tern_triggers.domain.endings import Revocation, endings
from tern_triggers.domain.folds.telling import stories
from tern_triggers.domain.rules import RULE, ruleset
from tern_triggers.domain.story import Gone, ReasonShown
from tern_triggers.domain.view import Verdicts, View
from unit.triggers.saying import DAY, GRANTED, HOME, OTHER, POLICY, at, candidates_of, fired, story_of, view

VIP = RULE.validate_python(
    {
        "rule": "welcome_up",
        "kind": "change",
        "family": "loyalty",
        "enters": "vip",
        "purpose": "marketing",
        "channels": ["email"],
        "steps": [{"after": "1h", "expires_after": "7d"}],
    }
)
RULES = ruleset([VIP])


def ann(since: float | None, decisions: tuple[Decision, ...] = (), **more: Any) -> View:
    """Ann, in the class since then, or in none."""
    classes = {} if since is None else {"vip": at(since)}
    return view(profile=replace(GRANTED, classes={"regular": at(0), **classes}), decisions=decisions, **more)


def since(seen: View) -> list[str]:
    return [candidate.story.about for candidate in candidates_of(VIP, seen)]


def welcomed(minutes: float = 0) -> Decision:
    (decision,) = fired(ann(minutes), minutes + 65, [VIP])
    return decision


def revoked(seen: View, minutes: float) -> list[tuple[Revocation, Gone]]:
    found = endings(stories(RULES, seen, POLICY, at(minutes)), seen.decisions, at(minutes))
    return [(one.revocation, one.exit.why) for one in found]


def test_an_hour_after_the_profile_says_that_the_class_began() -> None:
    (candidate,) = candidates_of(VIP, ann(5))
    assert (candidate.anchor, candidate.due, candidate.story.about) == (at(5), at(65), at(5).isoformat())
    assert since(ann(None)) == []


def test_the_smallest_home_and_the_since_name_it() -> None:
    (candidate,) = candidates_of(VIP, ann(5, homes=frozenset({OTHER, HOME})))
    assert (candidate.cycle_ref, candidate.start.home_id) == (f"{HOME}|{at(5).isoformat()}", HOME)
    assert candidate.trigger_id == trigger_id("welcome_up", "", candidate.cycle_ref, 0)


def test_it_counts_however_long_it_has_held() -> None:
    assert len(candidates_of(VIP, ann(-300 * DAY), since=0)) == 1
    ignoring = VIP.model_copy(update={"history": "ignore"})
    assert candidates_of(ignoring, ann(-1), since=0) == []


def test_it_is_decided_once_for_a_stay_whatever_home_it_stands_under() -> None:
    done = welcomed()
    assert since(ann(0, (done,))) == []
    assert since(ann(0, (replace(done, home_id=OTHER),), homes=frozenset({HOME, OTHER}))) == []


def test_who_leaves_and_comes_back_is_welcomed_again() -> None:
    assert since(ann(9 * DAY, (welcomed(),))) == [at(9 * DAY).isoformat()]


def test_a_beginning_that_turns_out_to_be_earlier_is_the_same_stay() -> None:
    assert since(ann(-DAY, (welcomed(),))) == []
    assert revoked(ann(-DAY, (welcomed(),)), 2 * DAY) == []


def test_leaving_the_class_before_it_falls_due_ends_it_without_a_word() -> None:
    assert fired(ann(None), 65, [VIP]) == []


def test_leaving_the_class_cancels_what_was_fired() -> None:
    assert revoked(ann(None, (welcomed(),)), DAY) == [(Revocation.CANCELLED, Gone.LEFT)]
    assert revoked(ann(0, (welcomed(),)), DAY) == []


def test_having_come_back_before_it_fired_retracts_it() -> None:
    assert revoked(ann(30, (welcomed(),)), DAY) == [(Revocation.RETRACTED, Gone.LEFT)]
    assert revoked(ann(300, (welcomed(),)), DAY) == [(Revocation.CANCELLED, Gone.LEFT)]


def test_while_a_merge_is_not_over_nobody_has_left() -> None:
    assert revoked(ann(None, (welcomed(),), former=[Verdicts()]), DAY) == []
    assert revoked(ann(30, (welcomed(),), former=[Verdicts()]), DAY) == [(Revocation.RETRACTED, Gone.LEFT)]
    assert revoked(view(profile=None, decisions=[welcomed()]), DAY) == []


def test_it_shows_the_class() -> None:
    assert story_of(VIP, ann(5)).shown == ReasonShown({"class": "vip", "since": at(5).isoformat()})
