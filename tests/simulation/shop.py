"""People in a shop: what they do, what of it the shop tells, when, how often, and in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

import msgspec
from msgspec import Raw

from simulation.loop import START
from simulation.process import Process
from tern_common.bus import Message, Producer
from tern_common.errors import Transient
from tern_common.events import Event, EventType, encode
from tern_common.headers import headers_of
from tern_common.topics import EVENTS, EVENTS_BACKFILL

LENGTH_S = 50.0
"""For so long people do something."""
WAIT_S, GRACE_S = 10.0, 4.0
"""Of the rules that are played."""
PRODUCTS = ("tea", "cup", "pot", "jar")


Deed = tuple[str, dict[str, object]]
"""An event's name and its properties."""


class Call(NamedTuple):
    """One tracking call: what happened at `happened`, sent at `sent` (seconds), once or more."""

    happened: float
    sent: float
    event: Event


@dataclass
class Acks:
    """What the shop was told: message id → the first moment at which it had its 200."""

    at: dict[str, datetime] = field(default_factory=dict)
    events: dict[str, Event] = field(default_factory=dict)


class Person:
    """Somebody with a browser, who may or may not say who it is."""

    def __init__(self, number: int, random: Random) -> None:
        self.number = number
        self.random = random
        self.user = f"user-{number}"
        self.guest = f"guest-{number}@example.com" if random.random() < 0.6 else None
        self.browser = f"browser-{number}-{random.randrange(10**6)}"
        self.signs_in_at = random.uniform(0, LENGTH_S * 0.7)
        self.consents = random.random() < 0.85
        self.count = 0

    def calls(self) -> list[Call]:
        """The whole life of a person: a few carts, each with something that happens to it just when it is due."""
        calls = [self._sign_in(self.signs_in_at)]
        if self.guest is not None:
            linked = {"email": self.guest}
            calls.append(self._call(self.random.uniform(15, LENGTH_S), "identify", None, {}, known=True, traits=linked))
        if self.consents:
            calls.extend(self._granted())
        for _ in range(self.random.randrange(1, 4)):
            calls.extend(self._episode(self.random.uniform(0, LENGTH_S - 15)))
        calls.extend(self._looks_around(self.random.uniform(0, LENGTH_S - 15)))
        if self.random.random() < 0.5:
            calls.extend(self._answers(self.random.uniform(0, LENGTH_S - 10)))
        return calls

    def _looks_around(self, at: float) -> list[Call]:
        """At one thing again and again, now and then from a browser that nobody is known at."""
        product = {"product_id": self.random.choice(PRODUCTS)}
        looks = [self.random.uniform(0, 15) for _ in range(self.random.randrange(1, 5))]
        return [self._about(at + later, "", "Product Viewed", product) for later in looks]

    def _answers(self, at: float) -> list[Call]:
        """A question, and perhaps regrets it."""
        said = [self._about(at, "", "Survey Answered", {"score": self.random.randrange(11)})]
        if self.random.random() < 0.4:
            said.append(self._about(at + self.random.uniform(1, 12), "", "Survey Withdrawn", {}))
        return said

    def history(self) -> list[Call]:
        """What an import brings of a person meanwhile: orders, looks, answers, of any time. Some say who they are."""
        return [self._imported() for _ in range(self.random.choice([0, 0, 1, 2, 4]))]

    def _imported(self) -> Call:
        product = self.random.choice(PRODUCTS)
        order: dict[str, object] = {
            "order_id": f"old-{self.number}-{self.count}",
            "products": [{"product_id": product, "price": 7}],
        }
        deeds: list[Deed] = [
            ("Order Completed", order),
            ("Order Completed", order | {"cart_id": f"cart-{self.number}"}),
            ("Product Viewed", {"product_id": product}),
            ("Survey Answered", {"score": 1}),
        ]
        deed = self.random.choice(deeds)
        sent = self.random.uniform(2, LENGTH_S)
        call = self._about(self.random.uniform(-20, sent), "", *deed)
        return call._replace(sent=sent, event=msgspec.structs.replace(call.event, mode="backfill"))

    def _sign_in(self, at: float) -> Call:
        return self._call(at, "identify", None, {}, known=True, both=True)

    def _granted(self) -> list[Call]:
        """By login, and by the address that somebody left as a guest: until they turn out to be one person."""
        granted = {"channel": "email"}
        said = [
            self._call(0.0, "track", "Consent Granted", granted, known=True),
            self._call(0.1, "identify", None, {}, known=True, traits={"email": f"{self.user}@example.com"}),
        ]
        if self.guest is not None:
            said.append(self._call(0.2, "track", "Consent Granted", granted | {"email": self.guest}, known=True))
        return [*said[:2], *(self._as_guest(one) for one in said[2:])]

    def _as_guest(self, call: Call) -> Call:
        """The same, by somebody of whom only an address is known."""
        context = Raw(msgspec.json.encode({"traits": {"email": self.guest}}))
        event = msgspec.structs.replace(call.event, user_id=None, anonymous_id=None, context=context)
        return call._replace(event=event)

    def _episode(self, at: float) -> list[Call]:
        """A cart, what happens to it meanwhile, and an end that comes close to the moment at which it is due."""
        cart = self.random.choice(["", f"cart-{self.number}", f"cart-{self.random.randrange(3)}"])
        product = self.random.choice(PRODUCTS)
        filled = self._about(at, cart, "Product Added", {"product_id": product, "quantity": 1, "price": 7})
        calls = [filled]
        if self.random.random() < 0.3:
            calls.append(self._about(at + self.random.uniform(0, 9), cart, *self._other(product)))
        if self.random.random() < 0.7:
            just_then = (
                at
                + WAIT_S
                + self.random.choice([self.random.uniform(-1.5, GRACE_S - 0.2), self.random.uniform(GRACE_S, 15)])
            )
            calls.append(self._about(just_then, cart, *self._end(product, cart)))
        return calls

    def _about(self, at: float, cart: str, name: str, properties: Mapping[str, object]) -> Call:
        named = {"cart_id": cart} if cart else {}
        known = at > self.signs_in_at and self.random.random() < 0.6
        both = known and self.random.random() < 0.3
        call = self._call(at, "track", name, {**named, **properties}, known=known, both=both)
        return self._as_guest(call) if self.guest is not None and self.random.random() < 0.4 else call

    def _other(self, product: str) -> Deed:
        deeds: list[Deed] = [
            ("Product Added", {"product_id": self.random.choice(PRODUCTS), "quantity": 2}),
            ("Cart Updated", {"products": [{"product_id": product}, {"product_id": "pot"}]}),
            ("Product Viewed", {"product_id": product, "category": "kitchen"}),
            ("Survey Answered", {"score": self.random.randrange(11)}),
        ]
        return self.random.choice(deeds)

    def _end(self, product: str, cart: str) -> Deed:
        order: dict[str, object] = {
            "order_id": f"order-{self.number}-{self.count}",
            "products": [{"product_id": product, "price": 7}],
        }
        deeds: list[Deed] = [
            ("Order Completed", order),
            ("Order Completed", order | ({"products": []} if cart else {})),
            ("Cart Updated", {"products": []}),
            ("Checkout Started", {}),
            ("Product Added", {"product_id": product, "quantity": 1}),
            ("Consent Withdrawn", {"channel": "email"}),
        ]
        return self.random.choice(deeds)

    def _call(
        self,
        at: float,
        kind: EventType,
        name: str | None,
        properties: Mapping[str, object],
        *,
        known: bool,
        both: bool = False,
        traits: Mapping[str, object] | None = None,
    ) -> Call:
        self.count += 1
        late = self.random.choices([0.05, self.random.uniform(0, 2), self.random.uniform(2, 15)], [9, 1, 0.6])[0]
        event = Event(
            message_id=f"m-{self.number}-{self.count}",
            type=kind,
            name=name,
            event_time=START + timedelta(seconds=at),
            received_at=START,
            source_id="shop",
            trusted=True,
            user_id=self.user if known else None,
            anonymous_id=self.browser if both or not known else None,
            properties=Raw(msgspec.json.encode(properties)),
            traits=Raw(msgspec.json.encode(traits or {})),
        )
        return Call(at, at + late, event)


class Client:
    """Sends calls as an SDK does: again after a refusal, and sometimes again although it was heard."""

    def __init__(self, process: Process, producer: Producer, acks: Acks) -> None:
        self._process = process
        self._producer = producer
        self._acks = acks

    async def send_all(self, calls: Sequence[Call]) -> None:
        """Each at its time; returns when all are acknowledged."""
        clock = self._process.clock
        for call in sorted(calls, key=lambda call: (call.sent, call.event.message_id)):
            await clock.sleep(max(0.0, call.sent - clock.monotonic()))
            await self._send(call.event)
            if self._process.random.random() < 0.1:
                await self._send(call.event)

    async def _send(self, event: Event) -> None:
        clock, pause_s = self._process.clock, 0.5
        topic = EVENTS_BACKFILL if event.mode == "backfill" else EVENTS
        while True:
            stamped = msgspec.structs.replace(event, received_at=clock.now())
            value = encode(stamped)
            key = (event.user_id or event.anonymous_id or event.message_id).encode()
            try:
                await self._producer.send([Message(topic, key, value, headers_of("event", value))])
            except Transient:
                await clock.sleep(pause_s)
                pause_s = min(pause_s * 2, 5.0)
                continue
            self._acks.at.setdefault(event.message_id, clock.now())
            self._acks.events.setdefault(event.message_id, stamped)
            return
