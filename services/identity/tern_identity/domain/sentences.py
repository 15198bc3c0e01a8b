"""Explanations in sentences, for people. Pure text: names of values come as the asker may see them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import NamedTuple

from tern_identity.domain.holding import NEVER
from tern_identity.domain.reading import EPOCH

GUARDS = {
    "partners": "too many others were named together with it, so it counts as shared",
    "velocity": "it met too many new partners within an hour, so it counts as shared",
    "blocked": "it is blocked",
    "browsers": "that account was seen on too many browsers to hold any",
    "kept-apart": "an operator keeps the two apart",
}


class Saying(NamedTuple):
    """Who said that two are one: a source by an event, or an operator by a control."""

    a: str
    b: str
    at: str
    event_id: str
    source: str
    by_operator: bool


def tie(said: Saying) -> str:
    """One step of a path."""
    if said.by_operator:
        return f"{said.a} and {said.b} are one person: an operator said so (control {int(said.event_id)})."
    return f"{said.a} and {said.b} are one person: {said.source} said so on {said.at} (event {said.event_id})."


def shared(name: str, guard: str) -> str:
    """Why nobody is joined through a value."""
    return f"{name} joins nobody: {GUARDS[guard]}."


def refused_by_limit(said: Saying, namespace: str, limit: int) -> str:
    """A pair that came too late."""
    values = "one value" if limit == 1 else f"{limit} values"
    return (
        f"{_said(said)} would join {said.a} and {said.b}, but a customer has at most {values} of {namespace}, and the "
        "earlier ones were there first."
    )


def refused_by_word(said: Saying, control_id: int | None, reason: str) -> str:
    """A pair that an operator's word is against."""
    who = f"control {control_id}: {reason}" if control_id is not None else "an operator"
    return f"{_said(said)} would join {said.a} and {said.b}, but they are kept apart ({who})."


def revoked(said: Saying, control_id: int | None, reason: str) -> str:
    """A pair that was taken back."""
    who = f"control {control_id}: {reason}" if control_id is not None else "by an operator"
    return f"{_said(said)} says that {said.a} and {said.b} are one person; that was taken back ({who})."


def nothing_ties(a: str, b: str) -> str:
    """No obstacle, since there is no way."""
    return f"No trusted event ever tied {a} and {b}, directly or through others."


def distrusted(sources: Iterable[str]) -> str:
    """What else might have tied them."""
    return f"What these sources say about persons does not count by the rules: {', '.join(sorted(sources))}."


def era(name: str, day: int) -> str:
    """A value that was somebody else's before."""
    return (
        f"From {day_text(day)} on {name} is another person's than before: an operator retired it. What was said "
        "earlier is about its former owner."
    )


def _said(said: Saying) -> str:
    return f"What {said.source} said on {said.at} (event {said.event_id})"


def day_text(day: int) -> str:
    """A day since 1970 as an ISO date."""
    return (EPOCH + timedelta(days=day)).date().isoformat()


def whose(browser: str, holder: str | None, shared_from: int, *, used: bool = False) -> Iterator[str]:
    """Whose a browser is, and until when. `used`: somebody was seen on it, whether that counts or not."""
    if holder is None and shared_from == NEVER:
        why = f"Nothing that was seen on {browser} counts" if used else f"Nobody ever signed in on {browser}"
        yield f"{why}: it is a visitor of its own."
    elif holder is None:
        yield f"{browser} is nobody's."
    elif shared_from == NEVER:
        yield f"{browser} is used by {holder} alone: what is done on it logged out is filed under that customer."
    else:
        yield f"{browser} was used by {holder} alone until {day_text(shared_from)}; from that day on it is nobody's."
        yield "Logged out, nobody is guessed; logged in, everybody is themselves."
