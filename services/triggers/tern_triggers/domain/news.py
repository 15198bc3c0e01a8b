"""What one record of a topic says to this service, and what a batch of them says together.

Memberships, profile copies and cart maxima are taken at their highest, facts as a set: so a batch has no order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import chain
from typing import NamedTuple, TypeVar
from uuid import UUID

import msgspec

from tern_common.errors import Poison
from tern_common.events import MembershipChange, ResolvedEvent, decode_event, decode_profile, decode_resolved
from tern_triggers.domain.facts import Fact, Said, cart_of, facts_of, precedence
from tern_triggers.domain.folds.cart import Newest, Ordered
from tern_triggers.domain.rules import Reads
from tern_triggers.domain.view import Verdicts

TRAIT_BYTES = 258
"""Of a trait's JSON: longer ones are essays."""

_IDS = 65_536
"""Ids that are remembered to be well-formed: a session's events name the same ones."""

FOREVER = 2**63 - 1
"""A version that none is higher than."""


class Membership(NamedTuple):
    """Home `home_id` (32 hex digits) belongs to `customer_id` since `version`. The highest version wins.

    `customer_id` None: it was erased. Whatever its version, nothing replaces that.
    """

    home_id: str
    customer_id: str | None
    version: int
    shared: bool

    @property
    def is_erased(self) -> bool:
        return self.customer_id is None

    def replaces(self, other: Membership) -> bool:
        """Whether this one stays when both were said."""
        return self._rank() > other._rank()

    def _rank(self) -> tuple[bool, int]:
        return self.is_erased, self.version


class Former(NamedTuple):
    """The homes of `customer_id` went to `into_id`, or nowhere when they were erased. The highest version wins."""

    customer_id: str
    into_id: str | None
    version: int


class ProfileNews(msgspec.Struct, frozen=True):
    """A profile's record. The highest `rev` wins; an absorbed customer's record has `merged_into` alone."""

    customer_id: str
    rev: int
    merged_into: str | None
    verdicts: Verdicts


class News(msgspec.Struct, frozen=True):
    """What one record says. `value` is the record of an event, and `wanted` what was read of it: by the time that it is
    written the rules may read more."""

    memberships: tuple[Membership, ...] = ()
    former: tuple[Former, ...] = ()
    facts: tuple[Fact, ...] = ()
    profile: ProfileNews | None = None
    value: bytes = b""
    wanted: Reads | None = None


class Batch(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What many records say: memberships by home, former homes and profiles by customer, facts by name, carts by id.

    `copies` are the further statements of facts about named carts: maxima over carts are taken over all statements,
    since a row that keeps one maximum cannot take back a copy that another one has made void.
    """

    memberships: Mapping[str, Membership]
    former: Mapping[str, Former]
    facts: Mapping[tuple[str, str, str, str], Fact]
    profiles: Mapping[str, ProfileNews]
    copies: Sequence[Fact] = ()

    @cached_property
    def newest(self) -> dict[str, Newest]:
        """The newest event of each named cart, as any statement dates it."""
        found: dict[str, Newest] = {}
        for fact in self.statements:
            if fact.kind in ("cart", "checkout") and fact.key:
                said = Newest(fact.at, fact.message_id, fact.home_id)
                found[fact.key] = max(found.get(fact.key, said), said)
        return found

    @cached_property
    def ordered(self) -> dict[str, list[Ordered]]:
        """The orders that name each cart, as each statement dates them."""
        found: dict[str, list[Ordered]] = {}
        for fact in self.statements:
            if fact.kind == "order" and fact.body.cart_id:
                found.setdefault(fact.body.cart_id, []).append(Ordered(fact.at, fact.message_id))
        return found

    @cached_property
    def cart_ids(self) -> list[str]:
        """The named carts that the batch speaks of, ascending."""
        return sorted({cart_id for fact in self.statements if (cart_id := cart_of(fact))})

    @property
    def statements(self) -> Iterable[Fact]:
        """All facts, and the further copies of those about carts."""
        return chain(self.facts.values(), self.copies)


def read_resolved(value: bytes, wanted: Reads) -> News:
    """What a record of the resolved topic says. Raises `Poison`."""
    said = decode_resolved(value)
    return _read_change(said) if isinstance(said, MembershipChange) else _read_event(said, value, wanted)


def read_again(items: Iterable[News], wanted: Reads) -> Iterator[News]:
    """The same news, with the facts that are wanted now. Raises `Poison`."""
    alike: Reads | None = None
    for news in items:
        if news.wanted is None or news.wanted is alike:
            yield news
        elif news.wanted == wanted:
            alike = news.wanted
            yield news
        else:
            yield read_resolved(news.value, wanted)


def _read_event(said: ResolvedEvent, value: bytes, wanted: Reads) -> News:
    home, customer = _home(said.home_id), _customer(said.customer_id)
    filed = Membership(home, customer, said.membership_version, said.shared)
    return News((filed,), (), facts_of(decode_event(said.event), home, wanted), None, value, wanted)


def _read_change(said: MembershipChange) -> News:
    """An erased identifier's own customer id stands for nobody from then on, whatever else is said of it."""
    named = _customer(said.customer_id)
    customer = None if said.erased else named
    homes = tuple(Membership(_home(home.home_id), customer, home.version, said.shared) for home in said.homes)
    latest = max((home.version for home in (*said.homes, *said.doors)), default=0)
    left = [Former(other, customer, latest) for other in map(_customer, said.from_) if other != named]
    return News(homes, (*left, Former(named, None, FOREVER)) if said.erased else tuple(left))


def read_profile(value: bytes) -> News:
    """What a record of the profiles topic says. Raises `Poison`."""
    profile = decode_profile(value)
    into = None if profile.merged_into is None else _customer(profile.merged_into)
    verdicts = Verdicts(
        consent=profile.consent,
        contacts=profile.contacts,
        shared=profile.shared,
        zone=profile.zone,
        active_hours=profile.active_hours,
        preferred_channels=profile.preferred_channels,
        orders=profile.orders,
        order_value=profile.order_value,
        last_order_at=profile.last_order_at,
        traits=_scalars(profile.traits),
        computed=profile.computed,
        classes=profile.classes,
    )
    return News(profile=ProfileNews(_customer(profile.customer_id), profile.profile_version, into, verdicts))


def _scalars(traits: Mapping[str, msgspec.Raw]) -> dict[str, Said]:
    """The short ones: rules compare words, numbers and dates."""
    short = {name: msgspec.json.decode(raw) for name, raw in traits.items() if len(bytes(raw)) <= TRAIT_BYTES}
    return {name: value for name, value in short.items() if isinstance(value, str | int | float | bool)}


def gather(items: Iterable[News]) -> Batch:
    """What the records say together."""
    memberships: dict[str, Membership] = {}
    former: dict[str, Former] = {}
    facts: dict[tuple[str, str, str, str], Fact] = {}
    copies: list[Fact] = []
    profiles: dict[str, ProfileNews] = {}
    for news in items:
        for home in news.memberships:
            known = memberships.get(home.home_id)
            if known is None or home.replaces(known):
                memberships[home.home_id] = home
        for gone in news.former:
            _keep_higher(former, gone.customer_id, gone, _version)
        if news.profile is not None:
            _keep_higher(profiles, news.profile.customer_id, news.profile, _rev)
        for fact in news.facts:
            _keep_least(facts, fact, copies)
    return Batch(memberships=memberships, former=former, facts=facts, profiles=profiles, copies=copies)


T = TypeVar("T")


def _version(said: Former) -> int:
    return said.version


def _rev(said: ProfileNews) -> int:
    return said.rev


def _keep_higher(known: dict[str, T], key: str, said: T, height: Callable[[T], int]) -> None:
    if key not in known or height(known[key]) < height(said):
        known[key] = said


def _keep_least(facts: dict[tuple[str, str, str, str], Fact], fact: Fact, copies: list[Fact]) -> None:
    name = fact.name
    known = facts.setdefault(name, fact)
    if known is fact or known == fact:
        return
    # most copies are of days, at different times: to write out what they say takes the longest
    is_less = fact.at < known.at if fact.at != known.at else precedence(fact) < precedence(known)
    facts[name], other = (fact, known) if is_less else (known, fact)
    if cart_of(other):
        copies.append(other)


@lru_cache(maxsize=_IDS)
def _home(text: str) -> str:
    try:
        return UUID(hex=text).hex
    except ValueError as wrong:
        raise Poison("not-a-home-id") from wrong


@lru_cache(maxsize=_IDS)
def _customer(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError as wrong:
        raise Poison("not-a-customer-id") from wrong
