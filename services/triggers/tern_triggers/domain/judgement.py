"""The checks that a candidate must pass, in their contractual order: expiry, shared customer, consent."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from tern_triggers.domain.candidates import Candidate
from tern_triggers.domain.decisions import Outcome, Why
from tern_triggers.domain.rules import Rule
from tern_triggers.domain.view import View


class Verdict(NamedTuple):
    """What becomes of a candidate; `channels` are those it may use, in the rule's order, when it fires."""

    outcome: Outcome
    reason: Why | None
    channels: tuple[str, ...] = ()


def judge(candidate: Candidate, view: View, now: datetime) -> Verdict:
    """Expiry is by the wall clock: an outage suppresses, it does not flood."""
    if now > candidate.expires:
        return Verdict(Outcome.SUPPRESSED, Why.EXPIRED)
    if view.shared or any(voice.shared for voice in view.voices):
        return Verdict(Outcome.SUPPRESSED, Why.SHARED)
    channels = allowed_channels(candidate.rule, view)
    if not channels:
        return Verdict(Outcome.SUPPRESSED, Why.NO_CONSENT)
    return Verdict(Outcome.FIRED, None, channels)


def allowed_channels(rule: Rule, view: View) -> tuple[str, ...]:
    """The rule's channels that the profile grants and that no profile merged into it refuses. Missing refuses.

    A customer that is so new that it has no profile yet is granted what those that were merged into it grant.
    """
    return tuple(channel for channel in rule.channels if _allowed(rule.purpose, channel, view))


def _allowed(purpose: str, channel: str, view: View) -> bool:
    granted = any(voice.of(purpose, channel) for voice in view.voices)
    return granted and all(former.of(purpose, channel) is not False for former in view.former)
