"""Puts what explaining found into words: first what was decided, then what is going on, then what will come of it."""

from __future__ import annotations

from collections.abc import Iterator

from tern_triggers.domain import sentences
from tern_triggers.domain.decisions import Decision
from tern_triggers.domain.explaining import Explained, Outlook, State, Told
from tern_triggers.domain.story import Gone

_SILENCE = {
    State.PAUSED: sentences.PAUSED,
    State.NOT_THEIRS: sentences.NOT_THEIRS,
    State.LATE: sentences.LATE,
    State.HISTORY: sentences.HISTORY,
    State.COMPLETE: sentences.COMPLETE,
}


def words(explained: Explained, told: Told) -> list[str]:
    """The sentences about one thing, the heading first."""
    rule = explained.rule
    return [
        sentences.heading(rule.rule, told.key, rule.mode),
        *(sentence for decision in told.decisions for sentence in _decision(decision, explained)),
        *_present(explained, told),
    ]


def _decision(decision: Decision, explained: Explained) -> Iterator[str]:
    step = sentences.step_of(decision.step, len(explained.rule.steps))
    yield sentences.decided(step, decision.outcome, decision.reason, decision.decided_at, decision.due)
    yield from sentences.taken_back(decision.retracted_at, decision.cancelled_at, decision.released_at)


def _present(explained: Explained, told: Told) -> Iterator[str]:
    if told.candidate is not None:
        yield from _pending(explained, told)
    elif told.state is State.OVER:
        last = told.exits[-1]
        yield sentences.over(Gone(last.why), last.at, last.message_id)
    elif told.state is State.NOT_STARTED and told.decisions:
        yield sentences.NOTHING_LEFT
    else:
        yield _SILENCE.get(told.state) or sentences.NOT_STARTED[explained.rule.kind]


def _pending(explained: Explained, told: Told) -> Iterator[str]:
    """A step that is yet to be decided. The story of a cycle that has a candidate has activity."""
    candidate, ready, outlook = told.candidate, told.ready, told.outlook
    assert candidate is not None, "only asked for what is pending"
    assert ready is not None, "what is pending is ready some day"
    assert outlook is not None, "what is pending has an outlook"
    step = sentences.step_of(candidate.step, len(candidate.rule.steps))
    newest = candidate.story.activity[-1]
    yield sentences.began(candidate.start.at, newest.at, candidate.start.message_id)
    match told.state:
        case State.READY:
            yield sentences.imminent(step)
        case State.DEFERRED if told.deferral is not None:
            yield sentences.put_off(step, told.deferral.until, told.deferral.why)
        case State.UNSAFE:
            yield sentences.unsafe(step, candidate.due, ready, explained.safe)
        case _:
            yield sentences.waiting(step, candidate.due, ready)
    yield from _outlook(outlook)
    yield sentences.expires(candidate.expires)


def _outlook(outlook: Outlook) -> Iterator[str]:
    verdict = outlook.verdict
    yield sentences.forecast(verdict.outcome, verdict.reason, verdict.channels, verdict.until)
