"""A case before the arbiter: a candidate, what is known of the customer, and what may become of it."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import msgspec

from tern_triggers.domain.arbiter.ledger import Ledger
from tern_triggers.domain.candidates import Candidate
from tern_triggers.domain.decisions import Outcome, Why
from tern_triggers.domain.moments import round_up
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rules import Step
from tern_triggers.domain.view import Arm, View


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


class Way(NamedTuple):
    """The channels that checks have left open so far, best first. `later`: those that open at some moment to come."""

    open: tuple[str, ...] = ()
    later: tuple[tuple[str, datetime], ...] = ()


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What a candidate is judged by. `ledger`: all that was decided before, what was just decided included.

    `present` is the round, `now` the wall clock: caps count by rounds, expiry goes by the clock, and quiet hours by
    the later of the two. `since`: since when the rule decides; what was due before is history to it.
    """

    candidate: Candidate
    view: View
    ledger: Ledger
    present: datetime
    now: datetime
    policy: Policy
    since: datetime | None = None

    @property
    def step(self) -> Step:
        """What would be done."""
        return self.candidate.rule.steps[self.candidate.step]

    @property
    def is_contact(self) -> bool:
        """Tasks, tickets and status reach nobody: they meet neither consent nor channels, quiet hours, caps."""
        return self.step.act == "contact"

    @property
    def is_shadow(self) -> bool:
        """Whether it only shows what it would have done."""
        return self.candidate.rule.mode == "shadow"

    @property
    def moment(self) -> datetime:
        """When it would be done: lag must not carry a contact into the night."""
        return max(self.present, self.now)

    def in_time(self, until: datetime) -> bool:
        """Whether the round of `until` comes before it expires."""
        return round_up(until, self.policy.slot) <= self.candidate.expires

    def wait(self, until: datetime, why: Why) -> Verdict:
        """Deferred, or suppressed for the same reason where that is past its expiry."""
        if not self.in_time(until):
            return suppressed(why)
        return Verdict(None, why, until=until)


def suppressed(why: Why) -> Verdict:
    """Final for the step."""
    return Verdict(Outcome.SUPPRESSED, why)
