"""Candidates: what a rule would do next for a customer. Computed from facts and decisions, never kept (§4.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from tern_common.durations import LONGEST
from tern_triggers.domain.cart import cart_stories
from tern_triggers.domain.decisions import Decision, Outcome, trigger_id
from tern_triggers.domain.recall import orders_story
from tern_triggers.domain.rules import Inactivity, Rule
from tern_triggers.domain.story import Moment, Story
from tern_triggers.domain.view import View


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """The first undecided step of the cycle that is going on for (rule, key)."""

    rule: Rule
    story: Story
    step: int
    start: Moment
    cycle_ref: str
    anchor: datetime
    due: datetime

    @property
    def trigger_id(self) -> str:
        """The id of the trigger, should it fire."""
        return trigger_id(self.rule.rule, self.story.key, self.cycle_ref, self.step)

    @property
    def expires(self) -> datetime:
        """The last moment at which acting is still worth it."""
        return self.due + self.rule.steps[self.step].expires_after


Stories = Mapping[str, Sequence[Story]]
"""Rule name → what its fold tells of each key."""


def stories(rules: Iterable[Rule], view: View, settle: timedelta) -> dict[str, list[Story]]:
    """What each rule's fold makes of the customer's facts, also of carts that only its decisions know."""
    return {rule.rule: _told(rule, view, settle) for rule in rules}


def _told(rule: Rule, view: View, settle: timedelta) -> list[Story]:
    if not isinstance(rule, Inactivity):
        return []
    if rule.fold == "cart":
        anchors: dict[str, list[datetime]] = {}
        for decision in view.decisions:
            if decision.rule == rule.rule:
                anchors.setdefault(decision.key, []).append(decision.anchor)
        return cart_stories(view.carts, anchors, settle)
    story = orders_story(view.facts, rule.waits)
    return [] if story is None else [story]


def candidates(rules: Iterable[Rule], told: Stories, decisions: Sequence[Decision]) -> list[Candidate]:
    """The candidates of all rules; at most one for each (rule, key)."""
    taken = by_story(decisions)
    found = (
        candidate_of(rule, story, taken.get((rule.rule, story.key), ())) for rule in rules for story in told[rule.rule]
    )
    return [candidate for candidate in found if candidate is not None]


def by_story(decisions: Iterable[Decision]) -> dict[tuple[str, str], list[Decision]]:
    """The decisions of each (rule, key): looked up once, since a customer may have thousands of both."""
    found: dict[tuple[str, str], list[Decision]] = {}
    for decision in decisions:
        found.setdefault((decision.rule, decision.key), []).append(decision)
    return found


def candidate_of(rule: Rule, story: Story, decisions: Sequence[Decision]) -> Candidate | None:
    """The candidate of one (rule, key), given at least its own decisions."""
    activity = _open_activity(rule, story)
    if not story.speaks or not activity:
        return None
    taken = taken_in_cycle(rule, story, decisions)
    step = next_step(rule, taken)
    if step is None:
        return None
    start = activity[0]
    anchor = min(activity[-1].at, start.at + max_hold(rule))
    return Candidate(
        rule=rule,
        story=story,
        step=step,
        start=start,
        cycle_ref=frozen_ref(taken) or start.message_id,
        anchor=anchor,
        due=anchor + _offset(rule, story, step),
    )


def max_hold(rule: Rule) -> timedelta:
    """How long activity may put a decision off; without end for kinds whose cycles are a single moment."""
    return rule.max_hold if isinstance(rule, Inactivity) else LONGEST


def _open_activity(rule: Rule, story: Story) -> list[Moment]:
    """The activity after x* that counts for the rule."""
    gone_until = story.gone_until
    return [m for m in story.activity if m.at > gone_until and not (m.passive and rule.ignores_history)]


def taken_in_cycle(rule: Rule, story: Story, decisions: Iterable[Decision]) -> list[Decision]:
    """The decisions of the cycle that is going on: those whose anchor is after x*. Notes decide nothing."""
    gone_until = story.gone_until
    return [
        decision
        for decision in decisions
        if (decision.rule, decision.key) == (rule.rule, story.key)
        and decision.anchor > gone_until
        and decision.outcome is not Outcome.ENDED
    ]


def next_step(rule: Rule, taken: Iterable[Decision]) -> int | None:
    """The first step without a decision."""
    done = {decision.step for decision in taken}
    return next((step for step in range(len(rule.steps)) if step not in done), None)


def frozen_ref(taken: Iterable[Decision]) -> str | None:
    """The cycle's name, frozen at its first decision: a start that turns up late cannot rename it."""
    first = min(taken, key=lambda decision: (decision.step, decision.round, decision.cycle_ref), default=None)
    return None if first is None else first.cycle_ref


def _offset(rule: Rule, story: Story, step: int) -> timedelta:
    first = rule.steps[0].after
    return (first if story.wait is None else story.wait) + rule.steps[step].after - first
