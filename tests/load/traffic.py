"""Realistic traffic: sessions of about eight events, 30 % anonymous, 2 % late, 1 % on shared devices, duplicates none.

Pure: a seed and a size in, events out. Shares of traffic are Tern's own plan for a shop, stated here and nowhere else.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec import Raw

from tern_common.events import Event, EventType

START = datetime(2026, 11, 2, 8, tzinfo=UTC)
SESSION = 8
ANONYMOUS = 0.30
LATE = 0.02
SHARED_DEVICE = 0.01
IDENTIFIES = 0.30
GAP = timedelta(seconds=20)
NAMES = (
    ("Product Viewed",) * 9
    + ("Product Added",) * 3
    + ("Cart Viewed", "Page Engaged", "Order Completed", "Checkout Started")
)
CONTEXT = Raw(
    b'{"library":{"name":"analytics-python","version":"2.3.2"},"ip":"203.0.113.7","locale":"de-DE",'
    b'"userAgent":"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0","page":{"path":"/p/mug"}}'
)


def events(seed: int, count: int, persons: int = 50_000) -> Iterator[Event]:
    """`count` events of sessions that overlap in time; the same seed gives the same events."""
    chance = random.Random(seed)
    made, session = 0, 0
    while made < count:
        session += 1
        length = min(count - made, max(1, round(chance.gauss(SESSION, 3))))
        yield from _session(chance, session, length, chance.randrange(persons))
        made += length


def _session(chance: random.Random, session: int, length: int, person: int) -> Iterator[Event]:
    anonymous = chance.random() < ANONYMOUS
    shared = chance.random() < SHARED_DEVICE
    browser = f"browser-{person % 500 if shared else person}-{'s' if shared else session % 4}"
    begin = START + timedelta(seconds=session * 0.5)
    delay = timedelta(hours=6) if chance.random() < LATE else timedelta(milliseconds=150)
    for place in range(length):
        identifies = place == 0 and not anonymous and chance.random() < IDENTIFIES
        yield _event(
            chance,
            message_id=f"{session:08d}-{place:03d}",
            at=begin + place * GAP,
            delay=delay,
            person=None if anonymous else person,
            browser=browser,
            kind="identify" if identifies else "track",
        )


def _event(
    chance: random.Random,
    *,
    message_id: str,
    at: datetime,
    delay: timedelta,
    person: int | None,
    browser: str,
    kind: EventType,
) -> Event:
    known = None if person is None else f"customer-{person}"
    return Event(
        message_id=message_id,
        type=kind,
        event_time=at,
        received_at=at + delay,
        source_id="load",
        trusted=True,
        name=chance.choice(NAMES) if kind == "track" else None,
        user_id=known,
        anonymous_id=browser,
        context=CONTEXT,
        traits=_traits(person) if kind == "identify" and person is not None else Raw(b"{}"),
        properties=_properties(chance, browser) if kind == "track" else Raw(b"{}"),
    )


def _traits(person: int) -> Raw:
    return Raw(msgspec.json.encode({"email": f"customer-{person}@shop.example", "name": f"Customer {person}"}))


def _properties(chance: random.Random, browser: str) -> Raw:
    product = chance.randrange(2000)
    price = chance.randrange(100, 20_000) / 100
    return Raw(
        msgspec.json.encode(
            {
                "product_id": f"product-{product}",
                "name": f"Product {product}",
                "price": price,
                "quantity": 1,
                "currency": "EUR",
                "cart_id": f"cart-{browser}",
                "products": [{"product_id": f"product-{product}", "price": price, "quantity": 1}],
                "total": price,
            }
        )
    )
