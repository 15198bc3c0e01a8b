"""The checks that a candidate must pass, in their contractual order (triggers.md §4.4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple

from tern_triggers.domain.arbiter.caps import room, too_soon
from tern_triggers.domain.arbiter.case import Case, Verdict, Way, suppressed
from tern_triggers.domain.arbiter.history import taken_up
from tern_triggers.domain.arbiter.holdout import side_of
from tern_triggers.domain.arbiter.hours import audible, best_hour
from tern_triggers.domain.arbiter.incentives import may_offer
from tern_triggers.domain.arbiter.profile_says import is_met
from tern_triggers.domain.arbiter.reach import allowed, reachable
from tern_triggers.domain.arbiter.stock import held
from tern_triggers.domain.decisions import Outcome, Why

__all__ = ["Case", "Check", "Heard", "Verdict", "hear", "judge"]


class Check(StrEnum):
    """The checks, in their order."""

    HISTORY = "history"
    EXPIRY = "expiry"
    CONDITION = "condition"
    SHARED = "shared-customer"
    CONSENT = "consent"
    SUPPRESSION = "suppression"
    FREQUENCY = "frequency"
    REACH = "reach"
    QUIET = "quiet-hours"
    BEST_HOUR = "best-hour"
    STOCK = "stock-hold"
    CAPS = "caps"
    HOLDOUT = "hold-out"


class Heard(NamedTuple):
    """A check and what it came to; no verdict: the candidate has passed."""

    check: Check
    verdict: Verdict | None


def judge(case: Case) -> Verdict:
    """What becomes of the candidate."""
    return _hear(case).verdict


def hear(case: Case) -> Sequence[Heard]:
    """The checks that the candidate meets, in order, up to the one that decides: the hold-out at the latest.

    Tasks, tickets and status are no contacts: they skip the checks that are of contacts. History comes before expiry,
    since what is taken up has its time from then on.
    """
    heard = _hear(case)
    return [*(Heard(check, None) for check in heard.passed), Heard(heard.last, heard.verdict)]


class _Hearing(NamedTuple):
    """The checks that were passed, and the one that decided."""

    passed: Sequence[Check]
    last: Check
    verdict: Verdict


def _hear(case: Case) -> _Hearing:
    passed: list[Check] = []
    way, is_contact = Way(), case.is_contact
    for check, of_contacts, ask in _CHECKS:
        if of_contacts and not is_contact:
            continue
        found = ask(case, way)
        if isinstance(found, Verdict):
            return _Hearing(passed, check, found)
        passed.append(check)
        way = found
    return _Hearing(passed, Check.HOLDOUT, _passed(case, way))


_Ask = Callable[[Case, Way], Way | Verdict]


def _history(case: Case, way: Way) -> Way | Verdict:
    return taken_up(case) or way


def _expiry(case: Case, way: Way) -> Way | Verdict:
    """By the wall clock: an outage suppresses, it does not flood."""
    return suppressed(Why.EXPIRED) if case.now > case.candidate.expires else way


def _condition(case: Case, way: Way) -> Way | Verdict:
    """The rule's and the step's. That the reason stands is implied: it is a candidate."""
    met = is_met(case.candidate.rule.when, case.view) and is_met(case.step.when, case.view)
    return way if met else suppressed(Why.CONDITION)


def _shared(case: Case, way: Way) -> Way | Verdict:
    """A till or a kiosk is nobody: there is no one to contact, and no one whom a ticket could be about."""
    shared = case.view.shared or any(voice.shared for voice in case.view.voices)
    return suppressed(Why.SHARED) if shared else way


def _consent(case: Case, way: Way) -> Way | Verdict:
    channels = allowed(case)
    return Way(channels, way.later) if channels else suppressed(Why.NO_CONSENT)


def _suppression(case: Case, way: Way) -> Way | Verdict:
    """The shop's own list of whom not to contact, as the policy's condition finds it in profiles."""
    listed = case.policy.arbiter.do_not_contact
    return suppressed(Why.DO_NOT_CONTACT) if listed is not None and is_met(listed, case.view) else way


def _frequency(case: Case, way: Way) -> Way | Verdict:
    return suppressed(Why.FREQUENCY) if too_soon(case) else way


def _reach(case: Case, way: Way) -> Way | Verdict:
    channels = reachable(case, way.open)
    return Way(channels, way.later) if channels else suppressed(Why.UNREACHABLE)


def _stock(case: Case, way: Way) -> Way | Verdict:
    return held(case) or way


_CHECKS: tuple[tuple[Check, bool, _Ask], ...] = (
    (Check.HISTORY, False, _history),
    (Check.EXPIRY, False, _expiry),
    (Check.CONDITION, False, _condition),
    (Check.SHARED, False, _shared),
    (Check.CONSENT, True, _consent),
    (Check.SUPPRESSION, True, _suppression),
    (Check.FREQUENCY, False, _frequency),
    (Check.REACH, True, _reach),
    (Check.QUIET, True, audible),
    (Check.BEST_HOUR, True, best_hour),
    (Check.STOCK, False, _stock),
    (Check.CAPS, True, room),
)
"""Each with whether only contacts meet it."""


def _passed(case: Case, way: Way) -> Verdict:
    """All checks have passed: it fires, unless the customer is of the control."""
    side = side_of(case)
    outcome = Outcome.FIRED if side.treated else Outcome.HELD_OUT
    return Verdict(outcome, None, way.open, arm=side.news, incentive=side.treated and may_offer(case))
