"""Events that shoppers and shops send, for tests: short to write, and drawn at random by hypothesis."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, cast

from hypothesis import strategies as st
from msgspec import Raw

from tern_common.events import Event, EventType
from tern_common.policy import load_policy
from tern_common.shipped import shipped
from tern_profile.domain.fragment import Fragment, fold
from tern_profile.domain.policy import Policy
from tern_profile.domain.reading import read

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANN = "ann@example.com"
BOB = "bob@example.com"

POLICY = load_policy(shipped("tern_profile", "policy.yaml"), Policy)

DECLARING = Policy.model_validate(
    POLICY.model_dump()
    | {
        "contributions": 3,
        "orders": 3,
        "days": 4,
        "computed": {
            "views": {"of": "count", "event": "Product Viewed"},
            "lately": {"of": "count", "event": ["Product Viewed", "Product Added"], "window": "10h"},
            "taken_back": {"of": "sum", "event": "Order Refunded", "property": "total"},
            "carts": {"of": "distinct", "event": ["Product Added", "Cart Updated"], "property": "cart_id"},
            "product": {"of": "most_frequent", "event": "Product Added", "property": "product_id"},
            "first_added": {"of": "first", "event": "Product Added", "property": "product_id"},
            "last_added": {"of": "last", "event": "Product Added", "property": "product_id"},
            "added_at": {"of": "last_time", "event": "Product Added", "where": {"quantity": {"at_least": 1}}},
        },
        "classes": {
            "viewer": {"path": "computed.views", "at_least": 2},
            "busy": {"path": "computed.lately", "at_least": 2},
            "buyer": {"all": [{"path": "orders", "at_least": 1}, {"not": {"path": "traits.plan", "equals": "x"}}]},
            "big": {"any": [{"path": "order_value", "above": 12}, {"path": "computed.taken_back", "above": 5}]},
            "lapsed": {"path": "last_order_at", "older_than": "12h"},
            "adding": {"path": "computed.added_at", "newer_than": "12h"},
        },
    }
)
"""The shipped numbers, small bounds, and a declaration of every kind."""

PASSED = START + timedelta(hours=24)
"""Absence is certain up to the middle of the histories."""


def subject_of(namespace: str, value: str) -> str:
    """A stand-in for the keyed hash."""
    return blake2b(f"{namespace}:{value}".encode(), digest_size=16).hexdigest()


def at(hours: float) -> datetime:
    """So many hours after the start."""
    return START + timedelta(hours=hours)


def as_json(value: object) -> Raw:
    return Raw(json.dumps(value).encode())


def event(message_id: str, hours: float, **fields: Any) -> Event:
    """An event; `traits`, `properties` and `context` as Python values."""
    fields |= {name: as_json(fields[name]) for name in ("traits", "properties", "context") if name in fields}
    fields.setdefault("type", "track")
    moment = at(hours)
    return Event(message_id=message_id, event_time=moment, received_at=moment, source_id="web", **fields)


def track(name: str, hours: float, message_id: str = "", /, *, trusted: bool = False, **properties: Any) -> Event:
    return event(message_id or f"{name}@{hours}", hours, name=name, trusted=trusted, properties=properties)


def identify(hours: float, message_id: str = "", /, *, trusted: bool = False, **traits: Any) -> Event:
    return event(message_id or f"identify@{hours}", hours, type="identify", trusted=trusted, traits=traits)


def heard(*events: Event, policy: Policy = POLICY) -> Fragment:
    """The fold of what these events say."""
    return fold((read(one, subject_of, policy) for one in events), policy)


_hours = st.integers(0, 80).map(float) | st.sampled_from([24.0 * 91, 24.0 * 181])
_product = st.fixed_dictionaries(
    {"product_id": st.sampled_from("pqr"), "quantity": st.integers(0, 3)},
    optional={"price": st.sampled_from([1, 2.5]), "name": st.sampled_from(["Pen", "Ink"])},
)
_cart = st.fixed_dictionaries({"cart_id": st.sampled_from(["", "c1", "c2"])})
_address = st.sampled_from([{"country": "DE"}, {"country": "US", "state": "CA"}, {"country": "US"}, 5])
_order = st.fixed_dictionaries(
    {"order_id": st.sampled_from(["o1", "o2"])},
    optional={"total": st.sampled_from([-5, 0, 10, 12.25]), "shipping_address": _address},
)
_consent = st.fixed_dictionaries(
    {"channel": st.sampled_from(["email", "sms", "push"])},
    optional={"email": st.sampled_from([ANN, BOB]), "proof": st.sampled_from(["form", "till"])},
)
_said = st.one_of(
    st.tuples(st.just("Product Viewed"), st.just({})),
    st.tuples(
        st.just("Cart Updated"),
        st.builds(lambda cart, items: cart | {"products": items}, _cart, st.lists(_product, max_size=3)),
    ),
    st.tuples(
        st.sampled_from(["Product Added", "Product Removed"]),
        st.builds(lambda cart, item: cart | item, _cart, _product),
    ),
    st.tuples(st.sampled_from(["Order Completed", "Order Refunded", "Order Cancelled"]), _order),
    st.tuples(st.sampled_from(["Consent Granted", "Consent Withdrawn"]), _consent),
)
_traits = st.dictionaries(
    st.sampled_from(["plan", "city", "email", "timezone", "preferred_channel"]),
    st.sampled_from([None, 1, "x", ANN, BOB, "Europe/Rome"]),
    max_size=3,
)


@st.composite
def events(draw: st.DrawFn, message_id: str) -> Event:
    """Any event that says something."""
    hours, trusted = draw(_hours), draw(st.booleans())
    kind = draw(st.sampled_from(["track", "track", "track", "identify", "page"]))
    if kind == "identify":
        return identify(hours, message_id, trusted=trusted, **draw(_traits))
    if kind == "page":
        zone = draw(st.sampled_from([None, "Europe/Berlin", "Asia/Tokyo", "UTC", 5]))
        return event(message_id, hours, type=cast(EventType, kind), context={"timezone": zone} if zone else {})
    name, properties = draw(_said)
    return track(name, hours, message_id, trusted=trusted, **properties)


@st.composite
def histories(draw: st.DrawFn, most: int = 12) -> list[Event]:
    """Distinct messages."""
    return [draw(events(f"m{number}")) for number in range(draw(st.integers(0, most)))]
