"""What households do in the shop, drawn from a seed: short lives, with an end just when something falls due."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import NamedTuple

from support.shop import Json

WAITS = (4.0, 5.0, 3.0)
GRACE_S = 2.0
PRODUCTS = ("tea", "cup", "pot", "jar")


class Act(NamedTuple):
    """A tracking call about what happens at `happened`, sent at `sent`: seconds after the household begins."""

    happened: float
    sent: float
    call: Json


class Household:
    """One or two persons who have nothing in common with anybody else."""

    def __init__(self, number: int, seed: int) -> None:
        self._random = Random(f"{seed}/{number}")
        self._name = f"h{number}"
        self._acts: list[Act] = []
        persons = 1 if self._random.random() < 0.75 else 2
        for person in range(persons):
            self._introduce(person)
        for episode in range(self._random.choice([1, 1, 2, 3])):
            self._episode(self._random.randrange(persons), episode)

    def acts(self) -> list[Act]:
        """In the order in which they are sent."""
        named = [
            act._replace(call={**act.call, "messageId": f"{self._name}-{place}"})
            for place, act in enumerate(sorted(self._acts, key=lambda act: act.happened))
        ]
        return sorted(named, key=lambda act: act.sent)

    def _introduce(self, person: int) -> None:
        """Most say who they are and that mail is welcome; some change their mind."""
        rnd = self._random
        known = {"type": "identify", **self._user(person), "traits": {"email": f"{self._name}.{person}@shop.example"}}
        if rnd.random() < 0.85:
            self._act(rnd.uniform(0, 0.5), known)
            self._act(rnd.uniform(0.5, 1), self._track("Consent Granted", {"channel": "email"}, person))
        if rnd.random() < 0.6:
            link = {"type": "identify", **self._user(person), **self._browser(person), "traits": {}}
            self._act(rnd.choice([rnd.uniform(1, 3), rnd.uniform(3, 9)]), link)
        if rnd.random() < 0.1:
            self._act(rnd.uniform(3, 9), self._track("Consent Withdrawn", {"channel": "email"}, person))

    def _episode(self, person: int, episode: int) -> None:
        rnd = self._random
        begins = rnd.uniform(1, 5) + 7 * episode
        tell = rnd.choices([self._cart, self._buy, self._ask, self._rate, self._look], [6, 2, 2, 2, 2])[0]
        tell(person, f"{self._name}-{episode}", begins)

    def _cart(self, person: int, key: str, begins: float) -> None:
        """Filled, perhaps changed, perhaps by the other one; and then what happens to it close to its due time."""
        rnd = self._random
        cart = {"cart_id": key} if rnd.random() < 0.8 else {}
        product = rnd.choice(PRODUCTS)
        self._say(begins, "Product Added", {**cart, "product_id": product, "quantity": 1, "price": 7}, person)
        if rnd.random() < 0.3:
            more = {**cart, "product_id": rnd.choice(PRODUCTS), "quantity": 2, "price": 5}
            self._say(begins + rnd.uniform(0.3, 4), "Product Added", more, rnd.choice([person, 0]))
        if rnd.random() < 0.7:
            self._say(self._just_then(begins), *self._end_of(cart, product, key), rnd.choice([person, person, 0]))

    def _end_of(self, cart: Json, product: str, key: str) -> tuple[str, Json]:
        order = {"order_id": f"order-{key}", "total": 7, "products": [{"product_id": product, "price": 7}]}
        return self._random.choice(
            [
                ("Order Completed", {**order, **cart}),
                ("Order Completed", order),
                ("Cart Updated", {**cart, "products": []}),
                ("Checkout Started", cart),
                ("Product Added", {**cart, "product_id": product, "quantity": 1, "price": 7}),
            ]
        )

    def _buy(self, person: int, key: str, begins: float) -> None:
        order = {"order_id": f"order-{key}", "total": 9, "products": [{"product_id": "lid", "price": 9}]}
        self._say(begins, "Order Completed", order, person)
        if self._random.random() < 0.4:
            self._say(self._just_then(begins), "Order Refunded", {"order_id": f"order-{key}"}, person)

    def _ask(self, person: int, key: str, begins: float) -> None:
        rnd, ticket = self._random, {"ticket_id": f"ticket-{key}"}
        self._say(begins, "Inquiry Opened", ticket, person)
        if rnd.random() < 0.4:
            self._say(begins + rnd.uniform(0.3, 3), "Inquiry Answered", ticket, person)
        if rnd.random() < 0.6:
            self._say(self._just_then(begins), "Inquiry Closed", ticket, person)

    def _rate(self, person: int, key: str, begins: float) -> None:
        rnd, ticket = self._random, {"ticket_id": f"rated-{key}"}
        self._say(begins, "Rating Given", {**ticket, "score": rnd.randrange(11)}, person)
        if rnd.random() < 0.5:
            self._say(self._just_then(begins), "Rating Settled", ticket, person)

    def _look(self, person: int, _key: str, begins: float) -> None:
        rnd = self._random
        for place in range(rnd.randrange(1, 4)):
            self._say(begins + place + rnd.random(), "Product Viewed", {"product_id": rnd.choice(PRODUCTS)}, person)

    def _just_then(self, begins: float) -> float:
        """Close to the moment at which the first or second step is decided: before, after, or long after."""
        rnd = self._random
        return begins + rnd.choice(WAITS) + rnd.choice([rnd.uniform(-2, GRACE_S), rnd.uniform(GRACE_S, GRACE_S + 6)])

    def _say(self, at: float, name: str, properties: Json, person: int) -> None:
        self._act(at, self._track(name, properties, person))

    def _track(self, name: str, properties: Json, person: int) -> Json:
        """What is about consent is said by who it is; the rest by a browser, an account, or both."""
        rnd = self._random
        named = name.startswith("Consent") or rnd.random() < 0.6
        both = not named or rnd.random() < 0.1
        who: Mapping[str, str] = {**(self._user(person) if named else {}), **(self._browser(person) if both else {})}
        return {"type": "track", "event": name, "properties": properties, **who}

    def _user(self, person: int) -> Json:
        return {"userId": f"{self._name}-user-{person}"}

    def _browser(self, person: int) -> Json:
        return {"anonymousId": f"{self._name}-browser-{person}"}

    def _act(self, happened: float, call: Json) -> None:
        late = self._random.choices([0.05, self._random.uniform(0.3, 2), self._random.uniform(2, 12)], [88, 6, 6])[0]
        self._acts.append(Act(happened, happened + late, call))
