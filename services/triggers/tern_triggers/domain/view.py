"""What is known of one customer at one moment: all that a decision about it may depend on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from tern_common.events import Contact
from tern_triggers.domain.cart import Carts, Newest, Ordered
from tern_triggers.domain.decisions import Decision
from tern_triggers.domain.facts import Fact


class Verdicts(msgspec.Struct, frozen=True):
    """One profile's consent (purpose → channel → verdict) and contact points by channel."""

    consent: Mapping[str, Mapping[str, bool]] = {}
    contacts: Mapping[str, Contact] = {}
    shared: bool = False

    def of(self, purpose: str, channel: str) -> bool | None:
        """Granted, refused, or None where nothing was said."""
        return self.consent.get(purpose, {}).get(channel)


class View(msgspec.Struct, frozen=True, kw_only=True):
    """`facts` are those of the customer's homes, distinct and in order; `decisions` those of its homes and, by key,
    those of anybody about carts it holds. `profile` is its own; `former` those of ids that were merged into it.
    """

    customer_id: str
    homes: frozenset[str] = frozenset()
    shared: bool = False
    facts: Sequence[Fact] = ()
    decisions: Sequence[Decision] = ()
    newest: Mapping[str, Newest] = {}
    foreign: Mapping[str, Sequence[Ordered]] = {}
    profile: Verdicts | None = None
    former: Sequence[Verdicts] = ()

    @property
    def voices(self) -> Sequence[Verdicts]:
        """Whose grants count: its own profile's, or while there is none, those of ids that were merged into it."""
        return self.former if self.profile is None else (self.profile,)

    @property
    def carts(self) -> Carts:
        """The part of it that the cart fold reads."""
        return Carts(self.homes, self.facts, self.newest, self.foreign)
