"""What is known of one customer at one moment: all that a decision about it may depend on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple

import msgspec

from tern_common.events import Computed, Contact
from tern_triggers.domain.decisions import Decision, Why
from tern_triggers.domain.facts import Fact, Said
from tern_triggers.domain.folds.cart import Carts, Newest, Ordered


class Verdicts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What triggers keep of one profile: consent (purpose → channel → verdict), contact points, and what rules and the
    arbiter read. `traits` are the short scalar ones. An absorbed profile's copy keeps `consent` and `shared` alone.
    """

    consent: Mapping[str, Mapping[str, bool]] = {}
    contacts: Mapping[str, Contact] = {}
    shared: bool = False
    zone: str | None = None
    active_hours: tuple[int, ...] = ()
    preferred_channels: tuple[str, ...] = ()
    orders: int = 0
    order_value: Decimal = Decimal(0)
    last_order_at: datetime | None = None
    traits: Mapping[str, Said] = {}
    computed: Mapping[str, Computed] = {}
    classes: Mapping[str, datetime] = {}

    def of(self, purpose: str, channel: str) -> bool | None:
        """Granted, refused, or None where nothing was said."""
        return self.consent.get(purpose, {}).get(channel)


class Deferral(NamedTuple):
    """A step that has to wait: at `until` everything about it is checked again.

    `enrolled`: of history that was taken up, when; the step's expiry counts from there, whatever it waits for later.
    """

    trigger_id: str
    home_id: str
    rule: str
    until: datetime
    why: Why
    enrolled: datetime | None = None


def told_apart(waiting: Iterable[Deferral]) -> tuple[dict[str, Deferral], list[Deferral]]:
    """The deferral of each trigger, and those that it makes void. Two customers who become one may both have waited for
    the same: the shorter wait is over first, and the longer history is taken up as it was."""
    found: dict[str, Deferral] = {}
    doubles: list[Deferral] = []
    for one in sorted(waiting, key=lambda each: (each.until, each.home_id)):
        first = found.setdefault(one.trigger_id, one)
        if first is not one:
            doubles.append(one)
            found[one.trigger_id] = first._replace(enrolled=first.enrolled or one.enrolled)
    return found, doubles


class Arm(NamedTuple):
    """Which side of a rule's hold-out a home is on, once it has been evaluated."""

    home_id: str
    rule: str
    treated: bool


class Hold(NamedTuple):
    """What the shop said to a request to hold a cart's stock. `until`: how long it was asked to hold it, or says it
    does; a promise only where it (partly) confirmed."""

    hold_id: str
    trigger_id: str
    status: Literal["requested", "confirmed", "partial", "rejected", "released"]
    until: datetime | None
    cart_id: str = ""


class Responses(NamedTuple):
    """How contacts by one channel went: `sent` of them, `answered` (opened, clicked) of those."""

    sent: int
    answered: int


class View(msgspec.Struct, frozen=True, kw_only=True):
    """`facts` are those of the customer's homes, distinct and in order; `decisions` those of its homes and, by key,
    those of anybody about carts it holds. `profile` is its own; `former` those of ids that were merged into it.
    `deferrals` and `holds` are by trigger id, `responses` by channel. `doubles` are void deferrals: one of the same
    trigger stands under another home.
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
    deferrals: Mapping[str, Deferral] = {}
    doubles: Sequence[Deferral] = ()
    arms: Sequence[Arm] = ()
    holds: Mapping[str, Hold] = {}
    responses: Mapping[str, Responses] = {}

    @property
    def voices(self) -> Sequence[Verdicts]:
        """Whose grants count: its own profile's, or while there is none, those of ids that were merged into it."""
        return self.former if self.profile is None else (self.profile,)

    @property
    def carts(self) -> Carts:
        """The part of it that the cart fold reads."""
        return Carts(self.homes, self.facts, self.newest, self.foreign)
