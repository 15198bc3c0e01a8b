"""Fragments: what the events filed under one home say. `fold(a + b) == combine(fold(a), fold(b))`.

A fragment never moves, is never cut and never merged into another; a profile is the combination of its customer's.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec
from msgspec import Struct

from tern_profile.domain import carts, rhythm
from tern_profile.domain import standing as slow
from tern_profile.domain.carts import Heard
from tern_profile.domain.merging import bound, merge
from tern_profile.domain.policy import Policy
from tern_profile.domain.rhythm import Rhythm
from tern_profile.domain.standing import Standing


class Activity(Struct, omit_defaults=True):
    """What moves with every event and is never published: counts by event name, and carts by cart id."""

    counts: dict[str, int] = {}
    carts: dict[str, list[Heard]] = {}


class Fragment(Struct):
    """A fold state. Without events: no times. `standing` is None when no event said anything that moves slowly."""

    first_at: datetime | None = None
    last_at: datetime | None = None
    activity: Activity = msgspec.field(default_factory=Activity)
    standing: Standing | None = None
    rhythm: Rhythm = msgspec.field(default_factory=Rhythm)


def combine(a: Fragment, b: Fragment, policy: Policy) -> Fragment:
    """What both say together. Commutative and associative; of disjoint sets of messages."""
    return fold((a, b), policy)


def fold(fragments: Iterable[Fragment], policy: Policy) -> Fragment:
    """What all of them say together; a single event's reading is a fragment too."""
    into, heard = Fragment(), []
    for fragment in fragments:
        _absorb(into, fragment, policy)
        if fragment.activity.carts:
            heard.append(fragment.activity.carts)
    into.activity.carts = carts.fold(heard, policy.carts)
    return into


def _absorb(into: Fragment, other: Fragment, policy: Policy) -> None:
    into.first_at = _first(into.first_at, other.first_at)
    into.last_at = _last(into.last_at, other.last_at)
    merge(into.activity.counts, other.activity.counts, int.__add__)
    bound(into.activity.counts, policy.event_names)
    settled = rhythm.absorb(into.rhythm, other.rhythm)
    if other.standing is not None:
        slow.absorb(_standing_of(into), other.standing, policy)
    if settled is not None:
        slow.settle(_standing_of(into), *settled, policy)


def _standing_of(into: Fragment) -> Standing:
    if into.standing is None:
        into.standing = Standing()
    return into.standing


def _first(a: datetime | None, b: datetime | None) -> datetime | None:
    if a is None or b is None:
        return a or b
    return min(a, b)


def _last(a: datetime | None, b: datetime | None) -> datetime | None:
    if a is None or b is None:
        return a or b
    return max(a, b)


_encoder = msgspec.json.Encoder()
_activity = msgspec.json.Decoder(Activity)
_rhythm = msgspec.json.Decoder(Rhythm)
_standing = msgspec.json.Decoder(Standing)


def encode(part: Activity | Rhythm | Standing) -> str:
    """JSON text, so that whoever looks into the database can read it."""
    return _encoder.encode(part).decode()


def decode_activity(text: str | None) -> Activity:
    """The inverse; nothing kept is nothing said."""
    return Activity() if text is None else _activity.decode(text)


def decode_rhythm(text: str | None) -> Rhythm:
    """The inverse; nothing kept is nothing said."""
    return Rhythm() if text is None else _rhythm.decode(text)


def decode_standing(text: str | None) -> Standing | None:
    """The inverse; nothing kept is nothing said."""
    return None if text is None else _standing.decode(text)
