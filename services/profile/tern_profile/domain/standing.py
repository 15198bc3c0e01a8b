"""What a home says that moves slowly, and the public record is made of: traits, contact points, orders, consent."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import msgspec
from msgspec import Raw, Struct

from tern_profile.domain import consent, orders, rhythm
from tern_profile.domain.computed import tally
from tern_profile.domain.computed.tally import Tally
from tern_profile.domain.consent import Consent
from tern_profile.domain.merging import bound, merge
from tern_profile.domain.orders import Order, Returned
from tern_profile.domain.rhythm import Days

REMOVED = Raw(b"null")

TOPICS = 256
"""So many are kept that are said of no contact: four times what a record says. Anyone may say any."""


class Trait(Struct, array_like=True, frozen=True):
    """The last value said of a trait, as JSON. `REMOVED` stays as a tombstone, else an older value would return."""

    at: datetime
    trusted: bool
    message_id: str
    value: Raw

    @property
    def rank(self) -> tuple[datetime, bool, str, bytes]:
        return self.at, self.trusted, self.message_id, bytes(self.value)


class Reach(Struct, array_like=True, frozen=True, order=True):
    """The last value said of a contact point, normalised."""

    at: datetime
    message_id: str
    value: str


class Standing(Struct, omit_defaults=True):
    """A fold state. `trusted` and `typed`: contact points by channel, said by trusted events and by others.

    `consents`: `str(Key)` → maxima; `withdrawn`: the newest withdrawal about any topic that is not kept. `delivery`:
    the zone of the newest address that an order was sent to. `days`: the hours of all days before the newest.
    `tallies`: what computed traits count, by their key.
    """

    traits: dict[str, Trait] = {}
    trusted: dict[str, Reach] = {}
    typed: dict[str, Reach] = {}
    orders: dict[str, Order] = {}
    returns: dict[str, Returned] = {}
    consents: dict[str, Consent] = {}
    withdrawn: datetime | None = None
    delivery: Reach | None = None
    days: Days = {}
    tallies: dict[str, Tally] = {}


class Bounds(Protocol):
    """How much is kept of both: traits, orders, days with their newest, and single events of a tally."""

    @property
    def traits(self) -> int: ...
    @property
    def orders(self) -> int: ...
    @property
    def days(self) -> int: ...
    @property
    def contributions(self) -> int: ...


def absorb(into: Standing, other: Standing, bounds: Bounds) -> None:
    """Adds `other` to `into`."""
    merge(into.traits, other.traits, _newer_trait)
    bound(into.traits, bounds.traits)
    merge(into.trusted, other.trusted, max)
    merge(into.typed, other.typed, max)
    merge(into.orders, other.orders, orders.earlier)
    merge(into.returns, other.returns, orders.add_returns)
    bound(into.orders, bounds.orders, largest=True)  # shops count upwards: of most these are the newest
    bound(into.returns, bounds.orders, largest=True)
    merge(into.consents, other.consents, consent.combine)
    into.withdrawn = consent.latest(into.withdrawn, other.withdrawn)
    if len(into.consents) > TOPICS and of_its_own(other).consents:
        _bound_topics(into)
    if other.delivery is not None:
        into.delivery = other.delivery if into.delivery is None else max(into.delivery, other.delivery)
    for day, hours in other.days.items():
        rhythm.settle(into.days, day, hours)
    rhythm.newest(into.days, bounds.days - 1)
    merge(into.tallies, other.tallies, lambda a, b: tally.combine(a, b, bounds.contributions))


def _bound_topics(into: Standing) -> None:
    """Of what names no contact, the plain topics and the smallest are kept; of the others, that they were withdrawn.

    A topic that is kept of a union is kept of all its parts, so that what is left out of a part is out of the union:
    a fold stays independent of order, and whatever was withdrawn stays so.
    """
    own = [key for text in into.consents if (key := consent.key_of(text)).subject == consent.OWN]
    for key in sorted(own, key=_topic_rank)[TOPICS:]:
        into.withdrawn = consent.latest(into.withdrawn, into.consents.pop(str(key)).withdrawn_at)


def _topic_rank(key: consent.Key) -> tuple[bool, consent.Key]:
    return (key.purpose, key.channel) not in consent.PLAIN, key


def settle(into: Standing, day: int, hours: rhythm.Hours, bounds: Bounds) -> None:
    """Adds a day that is not the newest any more."""
    rhythm.settle(into.days, day, hours)
    rhythm.newest(into.days, bounds.days - 1)


def _newer_trait(a: Trait, b: Trait) -> Trait:
    """The last event time wins; on a tie a trusted source, then an order that is total."""
    return max(a, b, key=_trait_rank)


def _trait_rank(trait: Trait) -> tuple[datetime, bool, str, bytes]:
    return trait.rank


def of_its_own(standing: Standing) -> Standing:
    """What a home keeps of it: what names a contact is kept with the contact, and there may be any number of those."""
    own = {text: said for text, said in standing.consents.items() if consent.key_of(text).subject == consent.OWN}
    return msgspec.structs.replace(standing, consents=own)


def contact_points(standing: Standing) -> dict[str, tuple[str, bool]]:
    """Channel → (value, whether it is trusted): one from an untrusted event never replaces a trusted one."""
    return {
        kind: (
            (standing.trusted[kind].value, True) if kind in standing.trusted else (standing.typed[kind].value, False)
        )
        for kind in sorted(standing.trusted.keys() | standing.typed.keys())
    }
