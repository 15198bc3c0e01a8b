"""Candidates: what a rule would do next for a customer. Computed from facts and decisions, never kept (§4.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from tern_common.durations import LONGEST
from tern_triggers.domain.decisions import ENDS_CYCLE, Decision, Outcome, Why, trigger_id
from tern_triggers.domain.folds.telling import Stories
from tern_triggers.domain.rules import Inactivity, Lane, Rule, Ruleset
from tern_triggers.domain.story import Moment, Story
from tern_triggers.domain.view import Deferral, View


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """The first undecided step of the cycle that a story tells of. `taken` are the decisions of the cycle so far;
    `lane` is whose safe time it waits for."""

    rule: Rule
    lane: Lane
    story: Story
    step: int
    start: Moment
    cycle_ref: str
    trigger_id: str
    anchor: datetime
    due: datetime
    taken: tuple[Decision, ...] = ()
    deferral: Deferral | None = None

    @property
    def expires(self) -> datetime:
        """The last moment at which acting is still worth it. Whoever was taken up later has as long from then."""
        enrolled = None if self.deferral is None else self.deferral.enrolled
        return (enrolled or self.due) + self.rule.steps[self.step].expires_after

    @property
    def at_once(self) -> bool:
        """Whether it is decided in the transaction that stores its event, and waits for nothing."""
        return self.rule.at_once(self.step) and not self.start.passive


def candidates(ruleset: Ruleset, told: Stories, view: View) -> list[Candidate]:
    """The candidates of all deciding rules; at most one for each story."""
    taken = by_story(view.decisions)
    found = (
        candidate_of(rule, story, taken.get((rule.rule, story.key, story.about), ()), ruleset, view)
        for rule in ruleset.deciding
        for story in told[rule.rule]
    )
    return [candidate for candidate in found if candidate is not None]


def by_story(decisions: Iterable[Decision]) -> dict[tuple[str, str, str], list[Decision]]:
    """The decisions of each (rule, key, about): looked up once, since a customer may have thousands of both."""
    found: dict[tuple[str, str, str], list[Decision]] = {}
    for decision in decisions:
        found.setdefault((decision.rule, decision.key, decision.about), []).append(decision)
    return found


def candidate_of(
    rule: Rule, story: Story, decisions: Sequence[Decision], ruleset: Ruleset, view: View
) -> Candidate | None:
    """The candidate of one story, given at least its own decisions. Its timing is that of the version its cycle began
    under, as far as that is known: a cycle is of the version of its first decision (triggers.md §6.4)."""
    if not story.speaks:
        return None
    activity = _open_activity(rule, story)
    if not activity:
        return None
    taken = taken_in_cycle(rule, story, decisions) if decisions else []
    if not taken and is_history(rule, activity[0].at, ruleset):
        return None
    rule = ruleset.at(rule, min(decision.rule_version for decision in taken)) if taken else rule
    step = next_step(rule, taken)
    if step is None:
        return None
    start = activity[0]
    anchor = min(_last_put_off(rule, story, start, activity[-1].at), start.at + max_hold(rule))
    cycle_ref = frozen_ref(taken) or story.ref or start.message_id
    name = trigger_id(rule.rule, story.key, cycle_ref, step, shadow=rule.mode == "shadow")
    return Candidate(
        rule=rule,
        lane=ruleset.lane_of(rule),
        story=story,
        step=step,
        start=start,
        cycle_ref=cycle_ref,
        trigger_id=name,
        anchor=anchor,
        due=anchor + offset(rule, story, step),
        taken=tuple(taken),
        deferral=_deferral(view, name, rule, story, step, activity) if view.deferrals else None,
    )


def _deferral(
    view: View, name: str, rule: Rule, story: Story, step: int, activity: Sequence[Moment]
) -> Deferral | None:
    """What the trigger waits for. History that was taken up stays so when an earlier start turns up and renames its
    cycle: all other waits come to the same when they are judged again.
    """
    if name in view.deferrals or story.ref is not None:
        return view.deferrals.get(name)
    taken_up = {
        one.trigger_id: one for one in view.deferrals.values() if one.rule == rule.rule and one.enrolled is not None
    }
    if not taken_up:
        return None
    shadow = rule.mode == "shadow"
    former = (trigger_id(rule.rule, story.key, one.message_id, step, shadow=shadow) for one in activity[1:])
    found = next((taken_up[one] for one in former if one in taken_up), None)
    return None if found is None else found._replace(trigger_id=name, home_id=activity[0].home_id, why=Why.HISTORY)


def is_history(rule: Rule, started: datetime, ruleset: Ruleset) -> bool:
    """Whether a cycle that started then is none of a rule's that takes no history up: it was live only later (§6.1)."""
    since = ruleset.since.get(rule.rule)
    return since is not None and rule.ignores_history and started < since


def max_hold(rule: Rule) -> timedelta:
    """How long activity may put a decision off; without end for kinds whose cycles are a single moment."""
    return rule.max_hold if isinstance(rule, Inactivity) else LONGEST


def _open_activity(rule: Rule, story: Story) -> list[Moment]:
    """The activity after x* that counts for the rule."""
    gone_until = story.gone_until
    return [one for one in story.activity if one.at > gone_until and _counts(rule, one)]


def _counts(rule: Rule, moment: Moment) -> bool:
    """What came late or from history starts and resets nothing of a rule that takes no history up (§4.1)."""
    return not (moment.passive and rule.ignores_history)


def _last_put_off(rule: Rule, story: Story, start: Moment, last: datetime) -> datetime:
    """The last start or reset: resets put a wait off that is running, and begin none."""
    if not story.resets:
        return last
    return max([last, *(one.at for one in story.resets if one.at > start.at and _counts(rule, one))])


def taken_in_cycle(rule: Rule, story: Story, decisions: Iterable[Decision]) -> list[Decision]:
    """The decisions of the cycle that is going on: those whose anchor is after x*. Notes decide nothing."""
    gone_until = story.gone_until
    return [
        decision
        for decision in decisions
        if (decision.rule, decision.key, decision.about) == (rule.rule, story.key, story.about)
        and (decision.mode == "shadow") == (rule.mode == "shadow")
        and decision.anchor > gone_until
        and decision.outcome is not Outcome.ENDED
    ]


def next_step(rule: Rule, taken: Sequence[Decision]) -> int | None:
    """The first step without a decision; none once a decision has ended the whole cycle."""
    if not taken:
        return 0
    if any(decision.outcome is Outcome.SUPPRESSED and decision.reason in ENDS_CYCLE for decision in taken):
        return None
    done = {decision.step for decision in taken}
    return next((step for step in range(len(rule.steps)) if step not in done), None)


def frozen_ref(taken: Iterable[Decision]) -> str | None:
    """The cycle's name, frozen at its first decision: a start that turns up late cannot rename it."""
    first = min(taken, key=lambda decision: (decision.step, decision.round, decision.cycle_ref), default=None)
    return None if first is None else first.cycle_ref


def offset(rule: Rule, story: Story, step: int) -> timedelta:
    """How long after its anchor a step is due. The first wait may be the customer's own; others keep their distance."""
    first = rule.steps[0].after
    return (first if story.wait is None else story.wait) + rule.steps[step].after - first
