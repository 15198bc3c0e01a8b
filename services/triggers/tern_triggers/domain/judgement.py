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
    if view.shared or (view.profile is not None and view.profile.shared):
        return Verdict(Outcome.SUPPRESSED, Why.SHARED)
    channels = allowed_channels(candidate.rule, view)
    if not channels:
        return Verdict(Outcome.SUPPRESSED, Why.NO_CONSENT)
    return Verdict(Outcome.FIRED, None, channels)


def allowed_channels(rule: Rule, view: View) -> tuple[str, ...]:
    """The rule's channels that the profile grants and that no profile merged into it refuses. Missing refuses."""
    own = {} if view.profile is None else view.profile.consent.get(rule.purpose, {})
    refused = {
        channel
        for former in view.former
        for channel, granted in former.consent.get(rule.purpose, {}).items()
        if not granted
    }
    return tuple(channel for channel in rule.channels if own.get(channel, False) and channel not in refused)
