"""Realistic traffic: sessions of about eight events, 30 % anonymous, 2 % late, 1 % on shared devices, duplicates none.

Carts, orders, and identifies that are followed by a grant of e-mail marketing: the cart rule has work to do.
Pure: a seed, a size and a moment in, events out. Shares of traffic are Tern's own plan for a shop, stated here only.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec
from msgspec import Raw

from tern_common.events import Event

SESSION = 8
ANONYMOUS = 0.30
LATE = 0.02
SHARED_DEVICE = 0.01
IDENTIFIES = 0.30
GAP = timedelta(seconds=20)
BETWEEN_SESSIONS = timedelta(milliseconds=250)
ON_ITS_WAY = timedelta(milliseconds=150)
HELD_BACK = timedelta(hours=6)
NAMES = (
    ("Product Viewed",) * 9
    + ("Product Added",) * 3
    + ("Cart Viewed", "Page Engaged", "Order Completed", "Checkout Started")
)
FIRST = (None, "Consent Granted")
GRANT = Raw(b'{"channel":"email","purpose":"marketing","proof":"sign-up"}')
CONTEXT = Raw(
    b'{"library":{"name":"analytics-python","version":"2.3.2"},"ip":"203.0.113.7","locale":"de-DE",'
    b'"userAgent":"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0","page":{"path":"/p/mug"}}'
)


def events(seed: int, count: int, end: datetime, persons: int = 50_000, hot: float = 0.0) -> Iterator[Event]:
    """`count` events of sessions that overlap and are over by `end`; the same arguments give the same events.

    `hot`: the share of sessions that are of person 0.
    """
    chance = random.Random(seed)
    begin = end - (count // SESSION + 1) * BETWEEN_SESSIONS - 3 * SESSION * GAP
    made, session = 0, 0
    while made < count:
        session += 1
        length = min(count - made, max(1, round(chance.gauss(SESSION, 3))))
        person = 0 if hot and chance.random() < hot else chance.randrange(persons)
        yield from _session(chance, f"{seed}-{session:08d}", length, begin + session * BETWEEN_SESSIONS, person)
        made += length


def _session(chance: random.Random, session: str, length: int, begin: datetime, person: int) -> Iterator[Event]:
    anonymous = chance.random() < ANONYMOUS
    shared = chance.random() < SHARED_DEVICE
    browser = f"browser-{person % 500 if shared else person}-{'s' if shared else chance.randrange(4)}"
    held_back = HELD_BACK if chance.random() < LATE else timedelta()
    identifies = not anonymous and chance.random() < IDENTIFIES
    for place in range(length):
        yield _event(
            chance,
            message_id=f"{session}-{place:03d}",
            at=begin + place * GAP - held_back,
            delay=held_back + ON_ITS_WAY,
            person=None if anonymous else person,
            browser=browser,
            name=_name(chance, place, identifies),
        )


def _name(chance: random.Random, place: int, identifies: bool) -> str | None:
    """The track event's name; None is an identify."""
    if identifies and place < len(FIRST):
        return FIRST[place]
    return chance.choice(NAMES)


def _event(
    chance: random.Random,
    *,
    message_id: str,
    at: datetime,
    delay: timedelta,
    person: int | None,
    browser: str,
    name: str | None,
) -> Event:
    return Event(
        message_id=message_id,
        type="track" if name else "identify",
        event_time=at,
        received_at=at + delay,
        source_id="load",
        trusted=True,
        name=name,
        user_id=None if person is None else f"customer-{person}",
        anonymous_id=browser,
        context=CONTEXT,
        traits=_traits(person) if name is None and person is not None else Raw(b"{}"),
        properties=_properties(chance, browser, name),
    )


def _traits(person: int) -> Raw:
    return Raw(msgspec.json.encode({"email": f"customer-{person}@shop.example", "name": f"Customer {person}"}))


def _properties(chance: random.Random, browser: str, name: str | None) -> Raw:
    if name in FIRST:
        return GRANT if name else Raw(b"{}")
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
