"""The shape of the API's answers."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from pydantic import BaseModel, Field, PlainSerializer

from tern_common.commerce import Item
from tern_profile.domain.carts import Cart
from tern_profile.domain.orders import Kept
from tern_profile.domain.whole import Whole

ORDERS_SHOWN = 100

Amount = Annotated[Decimal, PlainSerializer(float, return_type=float, when_used="json")]


class ContactView(BaseModel):
    """A contact point; masked unless the token may see personal data."""

    value: str
    trusted: bool = Field(description="Said by a trusted source; one that is not is used only where there is no other.")
    doubtful: bool = Field(description="Well-formed, yet perhaps nobody's own: a role's mailbox, a company's line.")


class ComputedView(BaseModel):
    """A computed trait; hidden where it is taken from personal data and the token may not see that."""

    value: str | int | float | bool
    since: datetime


class ItemView(BaseModel):
    """One line of a cart."""

    product_id: str
    quantity: int
    price: Amount | None
    name: str | None


class CartView(BaseModel):
    """The cart spoken of last."""

    cart_id: str = Field(description="Empty for the one unnamed cart.")
    items: list[ItemView]
    updated_at: datetime
    ordered: bool = Field(description="Whether an order followed the last change.")


class OrderView(BaseModel):
    """An order by its earliest statement, and what was given back."""

    order_id: str
    at: datetime
    total: Amount | None
    net: Amount
    currency: str | None
    kept: bool = Field(description="False when it was cancelled or refunded as a whole.")


class OrdersView(BaseModel):
    """Kept orders in sum, and the newest of all."""

    count: int
    value: dict[str, Amount] = Field(description="Net value by currency; the key is empty where none was said.")
    last_at: datetime | None
    newest: list[OrderView] = Field(description=f"At most {ORDERS_SHOWN}, newest first.")


class ProfileView(BaseModel):
    """One customer. `customer_id` is the canonical one, whatever id was asked for."""

    customer_id: str
    profile_version: int
    shared: bool = Field(description="Nobody's customer: a browser or phone that several use. Contacted by nobody.")
    homes: int
    traits: dict[str, Any]
    contacts: dict[str, ContactView]
    consent: dict[str, dict[str, bool]] = Field(description="Purpose → channel → whether contact is allowed.")
    zone: str | None = Field(description="IANA time zone; null where nothing says where the customer lives.")
    zone_from: str | None = Field(description="What it is concluded from: trait, context, address or phone.")
    active_hours: list[int] = Field(description="Events by hour of the day (UTC), of all days before the last.")
    preferred_channels: list[str] = Field(description="Best first.")
    computed: dict[str, ComputedView]
    classes: dict[str, datetime] = Field(description="Those that hold, and since when.")
    first_seen_at: datetime | None
    last_seen_at: datetime | None
    counts: dict[str, int] = Field(description="Events by name (track) or type (all others).")
    orders: OrdersView
    cart: CartView | None


def view(whole: Whole, *, hide: bool) -> ProfileView:
    """`hide`: mask personal data."""
    known, public = whole.known, whole.public
    contacts = whole.contacts(hide=hide).items()
    computed = whole.computed(hide=hide).items()
    cart = whole.cart()
    return ProfileView(
        customer_id=known.customer_id,
        profile_version=whole.profile_version,
        shared=known.shared,
        homes=whole.homes,
        traits={name: msgspec.json.decode(value) for name, value in whole.traits(hide=hide).items()},
        contacts={
            kind: ContactView(value=point.value, trusted=point.trusted, doubtful=point.doubtful)
            for kind, point in contacts
        },
        consent=whole.verdicts,
        zone=public.zone,
        zone_from=public.zone_from,
        active_hours=list(public.active_hours),
        preferred_channels=list(public.preferred_channels),
        computed={name: ComputedView(value=one.value, since=one.since) for name, one in computed},
        classes=public.classes,
        first_seen_at=known.first_at,
        last_seen_at=known.last_at,
        counts=dict(sorted(whole.activity.counts.items())),
        orders=_orders(whole),
        cart=None if cart is None else _cart(cart, whole.ordered(cart)),
    )


def _orders(whole: Whole) -> OrdersView:
    totals = whole.totals()
    newest = [_order(one) for one in whole.orders()[:ORDERS_SHOWN]]
    return OrdersView(count=totals.orders, value=totals.value, last_at=totals.last_at, newest=newest)


def _order(one: Kept) -> OrderView:
    order = one.order
    return OrderView(
        order_id=one.order_id, at=order.at, total=order.total, net=one.net, currency=order.currency, kept=one.kept
    )


def _cart(cart: Cart, ordered: bool) -> CartView:
    items = [_item(item) for item in cart.items]
    return CartView(cart_id=cart.cart_id, items=items, updated_at=cart.updated_at, ordered=ordered)


def _item(item: Item) -> ItemView:
    return ItemView(product_id=item.product_id, quantity=item.quantity, price=item.price, name=item.name)
