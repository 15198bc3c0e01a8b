"""What one event says, as a fragment. Pure and tolerant: an ill-formed part says nothing, the rest still counts.

Depends on nothing but the event, the deployment's hash and its policy, so that every copy says the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import lru_cache

import msgspec
from msgspec import Raw

from tern_common import commerce
from tern_common.commerce import CancelSaid, CartSaid, ConsentSaid, Item, OrderSaid, RefundSaid
from tern_common.events import Event
from tern_common.identifiers import Identifier, contacts_of
from tern_profile.domain import consent, zones
from tern_profile.domain.carts import Heard
from tern_profile.domain.computed.reading import tallies, trait_tallies
from tern_profile.domain.declarations import Declarations
from tern_profile.domain.delivery import zone_of_order
from tern_profile.domain.fragment import Activity, Fragment
from tern_profile.domain.orders import NOTHING, Order, Returned
from tern_profile.domain.policy import Policy
from tern_profile.domain.rhythm import of_event
from tern_profile.domain.standing import Reach, Standing, Trait

SubjectOf = Callable[[str, str], str]
"""(namespace, normalised value) → hex of its keyed hash."""

NAME_LIMIT = 128
DEPTH_LIMIT = 16
"""Levels of a trait's JSON: readers of the record need not be built for more."""

CONTACTS = frozenset({"email", "phone"})
"""Traits that are contact points: these are kept with their trust, never as plain traits."""

_traits = msgspec.json.Decoder(dict[str, Raw])


class _Context(msgspec.Struct):
    traits: Raw = Raw(b"{}")
    timezone: Raw = Raw(b"null")


_context = msgspec.json.Decoder(_Context)


def read(event: Event, subject_of: SubjectOf, policy: Policy) -> Fragment:
    """The event's fragment."""
    said = commerce.read(event)
    activity = Activity({_name(event): 1})
    if isinstance(said, CartSaid):
        activity.carts[said.cart_id] = [Heard(event.event_time, event.message_id, said.how, said.items)]
    rhythm = of_event(event.event_time, event.message_id, _zone(event.context))
    standing = _standing(event, said, subject_of, policy)
    return Fragment(event.event_time, event.event_time, activity, standing, rhythm)


def _zone(context: Raw) -> str | None:
    """The zone that the device says it is in. Most contexts name none, and need not be read for it."""
    written = bytes(context)
    if b'"timezone"' not in written:
        return None
    try:
        return zone_named(bytes(_context.decode(written).timezone))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


@lru_cache(maxsize=1 << 10)
def zone_named(written: bytes) -> str | None:
    """The zone of a JSON text. Raises `DecodeError`."""
    return zones.named(msgspec.json.decode(written))


def _name(event: Event) -> str:
    """What the event is counted under: the name of a track event, else its type."""
    return event.name[:NAME_LIMIT] if event.type == "track" and event.name else event.type


def _standing(event: Event, said: commerce.Said | None, subject_of: SubjectOf, policy: Policy) -> Standing | None:
    contacts = contacts_of(event)
    if not (contacts or event.type == "identify" or isinstance(said, _SLOW) or policy.declared):
        return None
    standing = Standing()
    if event.type == "identify":
        standing.traits = _traits_of(event, policy.trait_bytes)
    _read_contacts(event, contacts, standing)
    _read_commerce(event, said, standing)
    if isinstance(said, ConsentSaid):
        _read_consent(event, said, standing, subject_of)
    if policy.declared:
        _read_tallies(event, standing, policy.declared)
    return standing if standing != _NOTHING_SAID else None


_NOTHING_SAID = Standing()
_SLOW = (OrderSaid, RefundSaid, CancelSaid, ConsentSaid)


def _traits_of(event: Event, longest: int) -> dict[str, Trait]:
    said = _decode(event.traits) or _decode(_context_traits(event.context))
    return {
        name: Trait(event.event_time, event.trusted, event.message_id, Raw(bytes(value)))
        for name, value in said.items()
        if name not in CONTACTS and len(name) <= NAME_LIMIT and _is_kept(bytes(value), longest)
    }


def _is_kept(value: bytes, longest: int) -> bool:
    """Whether every reader can read it. `Raw` was only skipped over: a number may be out of any range."""
    if len(value) > longest:
        return False
    try:
        return _is_shallow(msgspec.json.decode(value), DEPTH_LIMIT)
    except (msgspec.DecodeError, RecursionError):
        return False


def _is_shallow(value: object, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_shallow(one, levels - 1) for one in inner)


def _decode(raw: Raw) -> dict[str, Raw]:
    try:
        return _traits.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def _context_traits(context: Raw) -> Raw:
    try:
        return _context.decode(context).traits
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Context().traits


def _read_contacts(event: Event, contacts: Iterable[Identifier], standing: Standing) -> None:
    for kind, value in contacts:
        reach = Reach(event.event_time, event.message_id, value)
        trusted = event.trusted or kind in event.vouched
        (standing.trusted if trusted else standing.typed)[kind] = reach


def _delivery(event: Event) -> Reach | None:
    zone = zone_of_order(event)
    return None if zone is None else Reach(event.event_time, event.message_id, zone)


def _read_commerce(event: Event, said: commerce.Said | None, standing: Standing) -> None:
    match said:
        case OrderSaid(order_id, cart_id, items, total, currency):
            worth = _worth(items) if total is None else total
            standing.orders[order_id] = Order(event.event_time, event.message_id, worth, currency, cart_id)
            standing.delivery = _delivery(event) or standing.delivery
        case RefundSaid(order_id, None):
            standing.returns[order_id] = Returned(full=True)
        case RefundSaid(order_id, amount):
            standing.returns[order_id] = Returned(abs(amount or NOTHING))
        case CancelSaid(order_id):
            standing.returns[order_id] = Returned(cancelled=True)
        case _:
            pass


def _read_tallies(event: Event, standing: Standing, declared: Declarations) -> None:
    if tallied := declared.watched.get(_name(event).strip().casefold()):
        standing.tallies.update(tallies(event, tallied))
    if standing.traits:
        standing.tallies.update(trait_tallies(standing.traits, declared.traits))


def _worth(items: tuple[Item, ...]) -> Decimal | None:
    """What the listed products cost, when every price is said."""
    prices = [item.price * item.quantity for item in items if item.price is not None]
    return sum(prices, NOTHING) if prices and len(prices) == len(items) else None


def _read_consent(event: Event, said: ConsentSaid, standing: Standing, subject_of: SubjectOf) -> None:
    subject = subject_of(*said.contact) if said.contact else consent.OWN
    key = consent.Key(subject, said.purpose, said.channel)
    trusted = event.trusted or (said.contact is not None and said.contact[0] in event.vouched)
    standing.consents[str(key)] = consent.said(said.granted, event.event_time, trusted, said.proof)
