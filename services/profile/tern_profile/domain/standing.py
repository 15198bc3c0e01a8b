"""What a home says that moves slowly, and the public record is made of: traits, contact points, orders, consent."""

from __future__ import annotations

from datetime import datetime

from msgspec import Raw, Struct

from tern_profile.domain import consent, orders
from tern_profile.domain.consent import Consent
from tern_profile.domain.merging import bound, merge
from tern_profile.domain.orders import Order, Returned

REMOVED = Raw(b"null")


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

    `consents`: `str(Key)` → maxima.
    """

    traits: dict[str, Trait] = {}
    trusted: dict[str, Reach] = {}
    typed: dict[str, Reach] = {}
    orders: dict[str, Order] = {}
    returns: dict[str, Returned] = {}
    consents: dict[str, Consent] = {}


def absorb(into: Standing, other: Standing, most_traits: int) -> None:
    """Adds `other` to `into`, and keeps `most_traits` traits of both."""
    merge(into.traits, other.traits, _newer_trait)
    bound(into.traits, most_traits)
    merge(into.trusted, other.trusted, max)
    merge(into.typed, other.typed, max)
    merge(into.orders, other.orders, orders.earlier)
    merge(into.returns, other.returns, orders.add_returns)
    merge(into.consents, other.consents, consent.combine)


def _newer_trait(a: Trait, b: Trait) -> Trait:
    """The last event time wins; on a tie a trusted source, then an order that is total."""
    return max(a, b, key=_trait_rank)


def _trait_rank(trait: Trait) -> tuple[datetime, bool, str, bytes]:
    return trait.rank


def contact_points(standing: Standing) -> dict[str, tuple[str, bool]]:
    """Channel → (value, whether it is trusted): one from an untrusted event never replaces a trusted one."""
    return {
        kind: (
            (standing.trusted[kind].value, True) if kind in standing.trusted else (standing.typed[kind].value, False)
        )
        for kind in sorted(standing.trusted.keys() | standing.typed.keys())
    }
