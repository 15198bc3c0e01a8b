"""The checks that a candidate must pass, in their contractual order (triggers.md §4.4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from tern_triggers.domain.candidates import Candidate
from tern_triggers.domain.decisions import Decision, Outcome, Why
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.view import Arm, View


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What a candidate is judged by. `decided`: all decisions of the customer, those just made among them.

    `present` is the round, `now` the wall clock: caps count by rounds, while quiet hours and expiry go by the later.
    """

    candidate: Candidate
    view: View
    decided: Sequence[Decision]
    present: datetime
    now: datetime
    policy: Policy


class Verdict(NamedTuple):
    """What becomes of a candidate. No `outcome`: it is deferred `until`, for `reason`.

    `channels` are those it may use, best first. `arm`: the side of the hold-out that this evaluation has frozen.
    `asks`: the shop has to be asked to hold the stock. `incentive`: an offer may be made.
    """

    outcome: Outcome | None
    reason: Why | None = None
    channels: tuple[str, ...] = ()
    until: datetime | None = None
    arm: Arm | None = None
    asks: bool = False
    incentive: bool = False


def judge(case: Case) -> Verdict:
    """Expiry is by the wall clock: an outage suppresses, it does not flood."""
    candidate, view = case.candidate, case.view
    if case.now > candidate.expires:
        return Verdict(Outcome.SUPPRESSED, Why.EXPIRED)
    if view.shared or any(voice.shared for voice in view.voices):
        return Verdict(Outcome.SUPPRESSED, Why.SHARED)
    channels = allowed_channels(candidate, view)
    if not channels:
        return Verdict(Outcome.SUPPRESSED, Why.NO_CONSENT)
    return Verdict(Outcome.FIRED, None, channels)


def allowed_channels(candidate: Candidate, view: View) -> tuple[str, ...]:
    """The step's channels that the profile grants and that no profile merged into it refuses. Missing refuses.

    A customer that is so new that it has no profile yet is granted what those that were merged into it grant.
    """
    purpose = candidate.rule.purpose
    return tuple(channel for channel in candidate.rule.channels_of(candidate.step) if _allowed(purpose, channel, view))


def _allowed(purpose: str, channel: str, view: View) -> bool:
    granted = any(voice.of(purpose, channel) for voice in view.voices)
    return granted and all(former.of(purpose, channel) is not False for former in view.former)
