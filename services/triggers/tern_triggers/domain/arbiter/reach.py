"""By which channels a customer may and can be reached, and which of them suits best.

Refuses to know what is said: contents are the business of whoever sends.
"""

from __future__ import annotations

from collections.abc import Mapping

from tern_common.events import Contact
from tern_triggers.domain.arbiter.case import Case
from tern_triggers.domain.policy import PastResponse
from tern_triggers.domain.view import Responses, View

POINT_OF: Mapping[str, str] = {"email": "email", "sms": "phone", "call": "phone"}
"""The contact point that a channel needs. Push needs none that a profile keeps: its consent is given by device."""


def allowed(case: Case) -> tuple[str, ...]:
    """The step's channels that the profile grants and that no profile merged into it refuses. Missing refuses.

    A customer that is so new that it has no profile yet is granted what those that were merged into it grant.
    """
    rule = case.candidate.rule
    return tuple(one for one in rule.channels_of(case.candidate.step) if granted(rule.purpose, one, case.view))


def granted(purpose: str, channel: str, view: View) -> bool:
    """Whether the customer may be contacted by that channel for this."""
    said = any(voice.of(purpose, channel) for voice in view.voices)
    return said and all(former.of(purpose, channel) is not False for former in view.former)


def reachable(case: Case, channels: tuple[str, ...]) -> tuple[str, ...]:
    """Those with a contact point that may be used, best first.

    Doubtful points come last, whatever else speaks for them. Then the customer's own preference, then how contacts by
    that channel were answered, then the order of the rule.
    """
    purpose = case.candidate.rule.purpose
    points = {channel: point_of(case.view, purpose, channel) for channel in channels if channel in POINT_OF}
    usable = [channel for channel in channels if channel not in POINT_OF or _usable(points[channel], case)]
    wanted = _preferred(case.view)
    arbiter = case.policy.arbiter

    def rank(channel: str) -> tuple[bool, int, float, int]:
        point = points.get(channel)
        liked = wanted.index(channel) if channel in wanted else len(wanted)
        answers = response(case.view.responses.get(channel), arbiter.response)
        return point is not None and point.doubtful, liked, -answers, channels.index(channel)

    return tuple(sorted(usable, key=rank))


def point_of(view: View, purpose: str, channel: str) -> Contact | None:
    """The contact point of a channel, of a profile that grants it: of several the most trustworthy."""
    kind = POINT_OF[channel]
    granting = (voice for voice in view.voices if voice.of(purpose, channel))
    points = [voice.contacts[kind] for voice in granting if kind in voice.contacts]
    return min(points, key=lambda point: (not point.trusted, point.doubtful, point.value), default=None)


def _usable(point: Contact | None, case: Case) -> bool:
    """A point that only a browser named is used where there is no other and the shop allows it (profile.md)."""
    return point is not None and (point.trusted or case.policy.arbiter.untrusted_contacts)


def _preferred(view: View) -> tuple[str, ...]:
    return next((voice.preferred_channels for voice in view.voices if voice.preferred_channels), ())


def response(past: Responses | None, expected: PastResponse) -> float:
    """The share of contacts that were answered, drawn towards what is expected while there are few."""
    sent, answered = (0, 0) if past is None else past
    return (answered + expected.share * expected.weight) / (sent + expected.weight)
