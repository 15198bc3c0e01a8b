"""What every SDK is given to say: a visit to a shop, in the words of Segment's e-commerce specification."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

Call = dict[str, Any]

_TEE = {"product_id": "tee-1", "sku": "TEE-ÄÖÜ-1", "name": "Tee ☕ „Frühling“", "price": 19.9, "quantity": 2}
_TEA = {"product_id": "茶-2", "name": "龍井茶 2026", "price": 7.25, "quantity": 1, "variant": "100 g"}
_CART = {"cart_id": "cart-1", "products": [_TEE, _TEA], "value": 47.05, "currency": "EUR"}
_ORDER = {**_CART, "order_id": "Bestellung-№1", "total": 49.5, "tax": 0, "coupon": "ÉTÉ-15 %"}
_NASTY = 'Zoë: "schön"\\ 👩\u200d👩\u200d👧 \n\t\u202eעברית\u202c \u2028 \u2029 </script> %F0%9F %s e\u0301 \U0001f9c0'

_BEFORE_LOGIN: tuple[Call, ...] = (
    {"type": "page", "name": "Startseite – Übersicht", "properties": {"language": "de-DE"}},
    {"type": "track", "event": "Products Searched", "properties": {"query": "Käse 🧀 & Brot"}},
    {"type": "track", "event": "Product Viewed", "properties": _TEE},
)
_AFTER_LOGIN: tuple[Call, ...] = (
    {"type": "identify", "traits": {"email": "zoe@shop.example", "name": "Zoë Müller-Łukasz 张伟", "age": 41}},
    {"type": "track", "event": "Product Added", "properties": {"cart_id": "cart-1", **_TEE}},
    {"type": "track", "event": "Cart Viewed", "properties": _CART},
    {"type": "group", "groupId": "Ærø-Café", "traits": {"name": "Ærø Café ☕", "employees": 12, "plan": None}},
    {"type": "track", "event": "Checkout Started", "properties": _ORDER},
    {"type": "page", "name": "Kasse", "properties": {"step": 2}},
    {"type": "track", "event": "Order Completed", "properties": _ORDER},
    {"type": "track", "event": "Product Reviewed", "properties": {"review_body": _NASTY, "rating": 5}},
    {"type": "track", "event": "Größe gewählt", "properties": {"nested": {"deep": [[1, "ß"], {"ﬁ": True}]}, "n": -0.5}},
    {"type": "track", "event": "Order Refunded", "properties": _ORDER},
    {"type": "alias"},
)


def visit(visitor: str, at: datetime) -> list[Call]:
    """The calls of one visitor, in order, from `at` on. Each has a message id and a time; not every SDK takes them.

    The login is `visitor`; before it, an anonymous id is all there is. Each says its own `place` in the visit.
    """
    calls = []
    for place, said in enumerate(_BEFORE_LOGIN + _AFTER_LOGIN):
        call = {**said, "messageId": f"{visitor}-{place}", "timestamp": (at + timedelta(seconds=place)).isoformat()}
        call["anonymousId"] = f"anon-{visitor}"
        if place >= len(_BEFORE_LOGIN):
            call["userId"] = visitor
        for part in ("properties", "traits"):
            if part in call:
                call[part] = {**call[part], "place": place}
        if call["type"] == "alias":
            call["previousId"] = f"Kundin-№-{visitor}"
        calls.append(call)
    return calls
