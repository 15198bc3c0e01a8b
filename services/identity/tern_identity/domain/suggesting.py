"""What an operator may want to do about a value in quarantine. A suggestion, made of counts and days alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from tern_identity.domain.rules import Guard, Rules

Action = Literal["block", "allow", "retire", "none"]

RECENT_DAYS = 90
"""So far back a value may be retired: the horizon of eras."""
FAR_ABOVE = 3
"""So many times the limit nobody's own value reaches."""


class Tie(NamedTuple):
    """One partner of the value: a person's number or card, and the first and last day on which both were named."""

    unique: bool
    first_day: int
    last_day: int


class Suggestion(NamedTuple):
    """What to do, and why. `day`: for `retire`, the day from which the value is somebody else's."""

    action: Action
    why: str
    day: int | None = None


def suggestion(guard: Guard, ties: Sequence[Tie], today: int, rules: Rules, *, personal: bool = False) -> Suggestion:
    """`ties`: the partners, or as many of them as were read. `personal`: the value names one person by its kind."""
    if guard == "blocked":
        return Suggestion(
            "none", "It is blocked. Undo the block, or change the blocklist, to let it join people again."
        )
    if personal:
        return Suggestion(
            "allow", "It names one person by its kind: allow it, unless it is an account for tests or clerks."
        )
    persons = sum(tie.unique for tie in ties)
    others = len(ties) - persons
    if guard == "velocity" and persons <= rules.partners_unique and others <= rules.partners_other:
        return Suggestion(
            "allow",
            "It met many partners within an hour, but few altogether: an upload of one customer looks like this.",
        )
    if persons > rules.partners_unique * FAR_ABOVE or others > rules.partners_other * FAR_ABOVE:
        return Suggestion("block", "Far more people use it than one household has: a default value, or the shop's own.")
    heir = _heir(ties, today)
    if heir is not None:
        return Suggestion("retire", "All but one of its people stopped using it before that one began.", heir)
    return Suggestion("block", "Several people use it at the same time: it names none of them.")


def _heir(ties: Sequence[Tie], today: int) -> int | None:
    """The day on which the only person who still uses the value began, when all others had stopped by then."""
    persons = sorted((tie for tie in ties if tie.unique), key=lambda tie: tie.last_day)
    if len(persons) < 2:
        return None
    *former, last = persons
    began = last.first_day
    gone = all(tie.last_day < began for tie in former)
    return began if gone and began >= today - RECENT_DAYS else None
