"""Why something fired, why it did not (yet), and when it is looked at next: for each rule and each thing it is about.

Asks the same questions that decide: candidates, ready times, the arbiter. So what is explained is what will happen,
provided that nothing more comes. Knows no clock and no store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec

from tern_triggers.domain.arbiter.judging import Case, Check, Heard, Verdict, hear
from tern_triggers.domain.arbiter.ledger import Ledger
from tern_triggers.domain.candidates import Candidate, by_story, candidates, next_step, taken_in_cycle
from tern_triggers.domain.decisions import Decision, Outcome
from tern_triggers.domain.folds.telling import stories
from tern_triggers.domain.moments import AT_ONCE, NEVER
from tern_triggers.domain.narrative import facts_of
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rounds import Safe, ready_at, round_of
from tern_triggers.domain.rules import Rule, Ruleset
from tern_triggers.domain.story import Exit, Story
from tern_triggers.domain.view import Deferral, View

STORIES, EXITS, DECISIONS = 20, 10, 20
"""At most so many of each are told, the newest: a customer may have thousands."""

_Name = tuple[str, str, str]


class State(StrEnum):
    """Where a rule stands with a customer, about one thing."""

    PAUSED = "paused"
    NOT_STARTED = "not-started"
    NOT_THEIRS = "not-theirs"
    LATE = "late-or-imported"
    HISTORY = "before-live"
    OVER = "over"
    COMPLETE = "complete"
    WAITING = "waiting"
    DEFERRED = "deferred"
    UNSAFE = "waiting-for-safe-time"
    READY = "ready"


class Passed(NamedTuple):
    """One of the arbiter's checks, and whether the step passes it."""

    check: Check
    passed: bool


class Outlook(NamedTuple):
    """What would be decided at `at`, should nothing more come. `checks`: in order, up to the one that decides."""

    at: datetime
    verdict: Verdict
    checks: Sequence[Passed]


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """Where a rule stands about one thing. `key`: what it is about; `about`: the one reason, where each is its own.

    `candidate`, `ready`, `outlook` and `deferral` are of a step that is yet to be decided; `facts` are what led there.
    `exits`, `decisions`: the newest, oldest first.
    """

    key: str
    about: str
    state: State
    candidate: Candidate | None = None
    ready: datetime | None = None
    deferral: Deferral | None = None
    outlook: Outlook | None = None
    facts: Mapping[str, str | int | float | bool] = {}
    exits: Sequence[Exit] = ()
    decisions: Sequence[Decision] = ()


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """All that one rule has to say about a customer. `more`: how many older things are left out."""

    rule: Rule
    safe: datetime | None
    told: Sequence[Told]
    more: int = 0


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A customer, and the state of the world in which it is asked about. `safe` is unknown before the first claim."""

    view: View
    ruleset: Ruleset
    policy: Policy
    safe: Safe | None
    now: datetime


def explain(asked: Question, rules: Iterable[Rule]) -> list[Explained]:
    """The answer of each of these rules."""
    told = stories(asked.ruleset, asked.view, asked.policy, asked.now)
    due = {_name(one): one for one in candidates(asked.ruleset, told, asked.view)}
    taken = by_story(asked.view.decisions)
    known = _Known(due, taken, Ledger(asked.view, asked.ruleset))
    return [_Rule(asked, rule, known).explained(told.get(rule.rule, ())) for rule in rules]


def _name(candidate: Candidate) -> _Name:
    return candidate.rule.rule, candidate.story.key, candidate.story.about


class _Known(NamedTuple):
    """What is looked up once for all rules: the candidate and the decisions of each story, and what the arbiter counts
    by."""

    due: Mapping[_Name, Candidate]
    taken: Mapping[_Name, Sequence[Decision]]
    ledger: Ledger


class _Rule:
    """One rule's part of the question."""

    def __init__(self, asked: Question, rule: Rule, known: _Known) -> None:
        self._asked = asked
        self._rule = rule
        self._due, self._taken, self._ledger = known
        self._safe = None if asked.safe is None else asked.safe.of(rule.lane)

    def explained(self, found: Iterable[Story]) -> Explained:
        """Things that only decisions know of are told too: facts go, decisions stay."""
        all_told = [self._told(story) for story in found]
        known = {(one.key, one.about) for one in all_told}
        all_told += [
            Told(key=key, about=about, state=self._idle(), decisions=_newest(decisions))
            for (rule, key, about), decisions in self._taken.items()
            if rule == self._rule.rule and (key, about) not in known
        ]
        newest_last = sorted(all_told, key=_recency)
        if not newest_last:
            newest_last = [Told(key="", about="", state=self._idle())]
        return Explained(
            rule=self._rule,
            safe=self._safe,
            told=newest_last[-STORIES:],
            more=max(0, len(newest_last) - STORIES),
        )

    def _idle(self) -> State:
        return State.PAUSED if self._rule.mode == "paused" else State.NOT_STARTED

    def _told(self, story: Story) -> Told:
        name = (self._rule.rule, story.key, story.about)
        candidate = self._due.get(name)
        decisions = self._taken.get(name, ())
        if candidate is None:
            state = self._silence(story, decisions)
            return Told(key=story.key, about=story.about, state=state, exits=_last(story), decisions=_newest(decisions))
        ready = ready_at(candidate, self._asked.policy)
        return Told(
            key=story.key,
            about=story.about,
            state=self._progress(candidate, ready),
            candidate=candidate,
            ready=ready,
            deferral=candidate.deferral,
            outlook=self._outlook(candidate, ready),
            facts=facts_of(candidate),
            exits=_last(story),
            decisions=_newest(decisions),
        )

    def _silence(self, story: Story, decisions: Sequence[Decision]) -> State:
        """Why a story has no candidate."""
        since = [moment for moment in story.activity if moment.at > story.gone_until]
        if not since:
            return State.OVER if story.exits else State.NOT_STARTED
        taken = taken_in_cycle(self._rule, story, decisions)
        if taken and next_step(self._rule, taken) is None:
            return State.COMPLETE
        if not story.speaks:
            return State.NOT_THEIRS
        passive = all(moment.passive for moment in since)
        return State.LATE if passive and self._rule.ignores_history else State.HISTORY

    def _progress(self, candidate: Candidate, ready: datetime) -> State:
        if ready == AT_ONCE or (self._safe is not None and ready <= self._safe):
            return State.READY
        if candidate.deferral is not None and self._asked.now < candidate.deferral.until:
            return State.DEFERRED
        return State.WAITING if self._asked.now < ready else State.UNSAFE

    def _outlook(self, candidate: Candidate, ready: datetime) -> Outlook:
        """As if it were decided as soon as it is ready, with all that is known now."""
        asked = self._asked
        when = max(asked.now, ready)
        heard = hear(
            Case(
                candidate=candidate,
                view=asked.view,
                ledger=self._ledger,
                present=asked.now if ready == AT_ONCE else round_of(ready, when, asked.policy),
                now=when,
                policy=asked.policy,
                since=asked.ruleset.since.get(candidate.rule.rule),
            )
        )
        return outlook_of(when, heard)


def outlook_of(when: datetime, heard: Sequence[Heard]) -> Outlook:
    """What the arbiter's hearing comes to. Only the last check has a verdict, which may be that all have passed."""
    verdict = heard[-1].verdict
    assert verdict is not None, "the last check that is heard speaks"
    passed = [Passed(check, said is None or said.outcome is Outcome.FIRED) for check, said in heard]
    return Outlook(when, verdict, passed)


def _last(story: Story) -> list[Exit]:
    return sorted(story.exits)[-EXITS:]


def _newest(decisions: Iterable[Decision]) -> list[Decision]:
    return sorted(decisions, key=lambda one: (one.decided_at, one.step, one.trigger_id))[-DECISIONS:]


def _recency(told: Told) -> tuple[datetime, str, str]:
    """The last moment that anything happened about it."""
    moments = [end.at for end in told.exits] + [decision.decided_at for decision in told.decisions]
    if told.candidate is not None:
        moments.append(told.candidate.story.activity[-1].at)
    return max(moments, default=NEVER), told.key, told.about
