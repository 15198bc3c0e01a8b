"""What new events change about a home: its fragment before and after, and what follows for others.

Pure. Decides whether the public record of the home's customer can have changed at all; most events cannot change it.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from tern_profile.domain.consent import OWN, Consent, Key, key_of
from tern_profile.domain.fragment import Fragment
from tern_profile.domain.record import day
from tern_profile.domain.standing import Standing, of_its_own


class Reached(NamedTuple):
    """A contact point that a home has come to say."""

    kind: str
    value: str


class Change(NamedTuple):
    """`public`: the customer's record may differ. `standing`: the new one, or None when it is as it was.

    `said`: what is newly said about named contacts, to be added to what the home has said of them; `reached`: contact
    points it newly says. The fragment keeps nothing of the former: with any number of contacts it would grow for ever.
    """

    fragment: Fragment
    public: bool
    standing: Standing | None
    said: dict[Key, Consent]
    reached: list[Reached]


def change(old: Fragment, new: Fragment, *, late: bool = False) -> Change:
    """From `old` to `new`. A `new` without a standing has none that differs.

    `late`: something new is of a day that may not be the customer's newest any more, whatever it is to this home. Then
    it counts in his active hours.
    """
    before = old.standing or Standing()
    after = new.standing if new.standing is not None and new.standing != before else None
    if after is None:
        days = (day(old.first_at), day(old.last_at)) != (day(new.first_at), day(new.last_at))
        return Change(new, late or days or old.rhythm.zone != new.rhythm.zone, None, {}, [])
    kept = of_its_own(after)
    new = msgspec.structs.replace(new, standing=kept)
    return Change(new, True, kept if kept != before else None, _said(before, after), _reached(before, after))


def _said(before: Standing, after: Standing) -> dict[Key, Consent]:
    differing = {text: said for text, said in after.consents.items() if before.consents.get(text) != said}
    named = {key_of(text): said for text, said in differing.items()}
    return {key: said for key, said in named.items() if key.subject != OWN}


def _reached(before: Standing, after: Standing) -> list[Reached]:
    known = _points(before)
    return [point for point in _points(after) if point not in known]


def _points(standing: Standing) -> list[Reached]:
    return [Reached(kind, said.value) for side in (standing.trusted, standing.typed) for kind, said in side.items()]
