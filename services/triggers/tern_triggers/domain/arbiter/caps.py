"""How often a customer may be contacted: rolling caps over all rules, and the frequency of a rule.

Both go by rounds, later ones included: a candidate that comes late cannot slip under a cap through its past.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

from tern_triggers.domain.arbiter.case import Case, Verdict, Way, suppressed
from tern_triggers.domain.arbiter.ledger import WHOLE
from tern_triggers.domain.candidates import Candidate
from tern_triggers.domain.decisions import Why
from tern_triggers.domain.moments import NEVER
from tern_triggers.domain.story import ReasonShown

_MANY = Decimal(1000)
"""As many contacts as a cap can allow: a customer who says more says nothing."""


def too_soon(case: Case) -> bool:
    """Whether the rule began something with this customer (about this key or category) less than `every` ago."""
    every = case.candidate.rule.frequency
    if every is None or case.candidate.step > 0:
        return False
    topic = {"key": ("key", case.candidate.story.key), "category": ("category", category_of(case.candidate))}
    last = case.ledger.last_first(case.candidate.rule, WHOLE if every.per is None else topic[every.per])
    return last is not None and last > case.present - every.every


def category_of(candidate: Candidate) -> str | None:
    """What `frequency: {per: category}` goes by."""
    shown = candidate.story.shown
    return shown.category if isinstance(shown, ReasonShown) else None


def room(case: Case, way: Way) -> Way | Verdict:
    """The channels with a free slot. Where there is none: deferred to the moment at which one frees.

    A channel whose own cap is full is left out as long as another is left; a cap over all channels stops all of them.
    Only the best channel of a contact takes of that channel's cap.
    """
    free = _free_at(case, None)
    if free is None:
        return suppressed(Why.CAPPED)
    opens = {channel: _free_at(case, channel) or NEVER for channel in way.open}
    if free <= case.present and (left := tuple(one for one in way.open if opens[one] <= case.present)):
        return Way(left)
    later = {channel: max(at, _free_at(case, channel) or NEVER) for channel, at in way.later}
    return case.wait(max(free, min((opens | later).values())), Why.CAPPED)


def _free_at(case: Case, channel: str | None) -> datetime | None:
    """From when on one more contact keeps every cap of that channel, or all that are of none; None for never."""
    found = NEVER
    for contacts, window in _limits(case, channel):
        if contacts == 0:
            return None
        counted = case.ledger.nth_contact(case.candidate.rule, channel, contacts)
        if counted is not None:
            found = max(found, counted + window)
    return found


def _limits(case: Case, channel: str | None) -> list[tuple[int, timedelta]]:
    """(contacts, window)"""
    arbiter = case.policy.arbiter
    found = [(cap.contacts, cap.window) for cap in arbiter.caps if cap.channel == channel]
    if channel is None and arbiter.own_cap is not None:
        enough = _own_setting(case, arbiter.own_cap.trait)
        if enough is not None:
            found.append((enough, arbiter.own_cap.window))
    return found


def _own_setting(case: Case, trait: str) -> int | None:
    """How many contacts the customer said are enough. A half contact is none."""
    said = [voice.traits[trait] for voice in case.view.voices if trait in voice.traits]
    try:
        numbers = [Decimal(str(one)) for one in said if not isinstance(one, bool)]
    except InvalidOperation:
        return None
    return min((int(min(number, _MANY)) for number in numbers if number.is_finite() and number >= 0), default=None)
