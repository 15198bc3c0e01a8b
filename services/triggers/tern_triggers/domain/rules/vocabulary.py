"""Words that rules may use: events that Tern and its rules read, and what can be asked of a profile.

A shop's own events need no entry: a name that is like none of these is taken as the shop's own.
"""

from __future__ import annotations

from collections.abc import Mapping

from tern_triggers.domain.rules.parts import event_key

EVENTS: Mapping[str, frozenset[str]] = {
    name: frozenset(properties.split())
    for name, properties in {
        "Cart Viewed": "cart_id products",
        "Cart Updated": "cart_id products",
        "Product Added": "cart_id product_id sku quantity price name category",
        "Product Removed": "cart_id product_id sku quantity price name category",
        "Checkout Started": "cart_id products email phone",
        "Order Completed": "order_id cart_id products total revenue value currency email phone",
        "Order Refunded": "order_id total amount products",
        "Order Cancelled": "order_id",
        "Consent Granted": "channel purpose email phone proof",
        "Consent Withdrawn": "channel purpose email phone proof",
        "Signed In": "",
        "Signed Up": "",
        "Product Viewed": "product_id sku category name price",
        "Product List Viewed": "category list_id products",
        "Products Searched": "query",
        "Product Added To Wishlist": "product_id sku category name price wishlist_id",
        "Page Engaged": "product_id category seconds",
        "Product Price Changed": "product_id sku price",
        "Product Price Dropped": "product_id sku price",
        "Product Stock Changed": "product_id sku stock",
        "Product Back In Stock": "product_id sku stock",
        "Survey Answered": "survey score comment order_id",
        "Ticket Opened": "ticket_id topic",
        "Ticket Replied": "ticket_id by",
        "Ticket Solved": "ticket_id topic",
        "Support Ticket Opened": "ticket_id topic",
        "Support Ticket Reopened": "ticket_id topic",
        "Support Ticket Replied": "ticket_id by",
        "Support Ticket Solved": "ticket_id topic",
        "Support Ticket Closed": "ticket_id topic",
    }.items()
}
"""Event → the properties that are read of it, or that shipped rules speak of (docs/events.md)."""

KNOWN = {event_key(name): name for name in EVENTS}

PROFILE = frozenset({"orders", "order_value", "zone"})
"""What a profile says without being declared."""

DECLARED = ("traits", "computed", "classes", "contacts")
"""What stands under a name: that the shop sends (`traits.birthday`) or declares (`computed.ltv`, `classes.vip`: whether
the customer is in it), or of a contact point (`contacts.email`: whether there is one; `contacts.phone.trusted`)."""

_TIMELESS = frozenset({"traits", "zone", "contacts"})

PURPOSES = frozenset({"marketing", "service", "transactional"})


def is_profile_path(path: str) -> bool:
    """Whether a profile can say anything there."""
    root, _, name = path.partition(".")
    return bool(name) if root in DECLARED else path in PROFILE


def reads_history(path: str) -> bool:
    """Whether what a profile says there sums up what the customer did, which an import may still change."""
    return path.partition(".")[0] not in _TIMELESS
