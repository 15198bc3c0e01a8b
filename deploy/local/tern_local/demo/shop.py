"""What a shop does: it tells Tern what happens, through Segment's own Python package, unmodified.

The package stamps every event with this machine's time, however far the platform's virtual clock has gone: ingest takes
that for a client whose clock is wrong, and corrects it.
"""

from __future__ import annotations

import atexit
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self

from segment.analytics.client import Client

from tern_common.clock import Clock, SystemClock
from tern_common.errors import TernError
from tern_local.demo.cast import Product, Shopper

_POLL_S = 0.01
_NOW = timedelta()


class NotDelivered(TernError):
    """The platform did not take an event."""


@dataclass
class Shop:
    """A shop's backend. Events leave at once; `delivered` waits for the answers."""

    host: str
    write_key: str
    clock: Clock
    _sent: int = 0
    _wrong: list[str] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self._client = Client(self.write_key, host=self.host, on_error=self._failed)
        # At the end of the process it would go on trying to reach a platform that has stopped.
        atexit.unregister(self._client.join)
        return self

    async def __aexit__(self, *_: object) -> None:
        for consumer in self._client.consumers:
            consumer.pause()

    def looks(self, who: Shopper, product: Product) -> None:
        """Nobody knows who it is: there is only the browser's own id."""
        self._sent += 2
        self._client.page(anonymous_id=who.anonymous_id, name=product.name)
        self._client.track(
            anonymous_id=who.anonymous_id, event="Product Viewed", properties={"product_id": product.product_id}
        )

    def fills_nameless_cart(self, who: Shopper, products: Sequence[Product]) -> None:
        """A cart of which nothing is known but the browser that it was filled in."""
        self._sent += 1
        self._client.track(anonymous_id=who.anonymous_id, event="Cart Updated", properties=_cart(who.cart_id, products))

    def signs_in(self, who: Shopper) -> None:
        """From here on the browser's id and the account belong together."""
        self._sent += 2
        said = {"email": who.email, "phone": who.phone, "timezone": who.zone.key}
        traits = {name: value for name, value in said.items() if value is not None}
        self._client.identify(who.user_id, traits=traits, anonymous_id=who.anonymous_id)
        self._track(who, "Signed In", {})

    def allows_mail(self, who: Shopper) -> None:
        """Consent, as the shop's server has recorded it."""
        self._sent += 1
        self._track(who, "Consent Granted", {"channel": "email", "purpose": "marketing", "email": who.email})

    def allows_texts(self, who: Shopper) -> None:
        """The same for text messages."""
        self._sent += 1
        self._track(who, "Consent Granted", {"channel": "sms", "purpose": "marketing", "phone": who.phone})

    def fills_cart(self, who: Shopper, products: Sequence[Product], cart_id: str | None = None) -> None:
        """The whole cart, as it stands now."""
        self._sent += 1
        self._track(who, "Cart Updated", _cart(cart_id or who.cart_id, products))

    def orders(self, who: Shopper, order_id: str, products: Sequence[Product], *, ago: timedelta = _NOW) -> None:
        """Ordered and paid, `ago` before anybody hears of it. It is the account's order: no browser stands on it."""
        self._sent += 1
        total = round(sum(product.price for product in products), 2)
        order = {"order_id": order_id, "total": total, "currency": "EUR", **_cart(who.cart_id, products)}
        self._client.track(who.user_id, "Order Completed", order, timestamp=SystemClock().now() - ago)

    async def delivered(self) -> int:
        """Waits until the platform has answered for every event; their number. Raises `NotDelivered`."""
        while self._client.queue.unfinished_tasks and not self._wrong:
            await self.clock.sleep(_POLL_S)
        if self._wrong:
            raise NotDelivered(f"the platform did not take an event: {self._wrong[0]}")
        sent, self._sent = self._sent, 0
        return sent

    def _track(self, who: Shopper, event: str, properties: Mapping[str, object]) -> None:
        self._client.track(who.user_id, event, dict(properties), anonymous_id=who.anonymous_id)

    def _failed(self, error: Exception, _batch: object) -> None:
        self._wrong.append(str(error))


def _cart(cart_id: str, products: Sequence[Product]) -> dict[str, object]:
    lines = [
        {"product_id": product.product_id, "name": product.name, "price": product.price, "quantity": 1}
        for product in products
    ]
    return {"cart_id": cart_id, "products": lines}
