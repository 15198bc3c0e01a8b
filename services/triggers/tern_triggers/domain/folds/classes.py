"""Rules of kind `change`: the customer has entered a class that the profile declares, and is in it (triggers.md §4.2).

A reason is known by the class's `since`. It has gone when the profile says that the class was left, or that it began
later than what was decided. A `since` that turns out to be earlier than a decision is the same stay: it was decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from tern_triggers.domain.decisions import Decision
from tern_triggers.domain.moments import ALWAYS
from tern_triggers.domain.rules import Change
from tern_triggers.domain.story import Exit, Gone, Moment, ReasonShown, Story
from tern_triggers.domain.view import View


def class_stories(rule: Change, view: View, decided: Iterable[Decision], now: datetime) -> list[Story]:
    """The story of the class that the customer is in, and of those stays that something was decided about.

    `decided` are the rule's own decisions. While there is no profile, or that of a customer who was merged into this
    one has not been taken over, nobody has left anything.
    """
    if view.profile is None or not view.homes:
        return []
    since = view.profile.classes.get(rule.enters)
    taken = sorted(decided, key=lambda decision: (decision.anchor, decision.about))
    now_in = None if since is None else _about(since, taken)
    stays = {decision.about: decision.anchor for decision in taken}
    gone = [] if since is None and view.former else [about for about in stays if about != now_in]
    return [
        *([] if since is None or now_in is None else [_story(rule, since, now_in, min(view.homes))]),
        *(_left(about, stays[about], since or now) for about in gone),
    ]


def _about(since: datetime, taken: Sequence[Decision]) -> str:
    """The stay's name: that of the first decision in it, else its own `since`."""
    return next((decision.about for decision in taken if decision.anchor >= since), since.isoformat())


def _story(rule: Change, since: datetime, about: str, home: str) -> Story:
    ref = f"{home}|{about}"
    return Story(
        key="",
        activity=(Moment(since, ref, home),),
        exits=(),
        speaks=True,
        about=about,
        ref=ref,
        shown=ReasonShown({"class": rule.enters, "since": since.isoformat()}),
    )


def _left(about: str, anchor: datetime, at: datetime) -> Story:
    return Story(key="", activity=(), exits=(Exit(max(at, anchor), ALWAYS, Gone.LEFT, ""),), speaks=False, about=about)
