"""Who is in the story, and what the shop sells. In the order in which they come."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Shopper:
    """Somebody who comes to the shop; `called` is how the story calls them. `zone`: where they live."""

    called: str
    user_id: str
    email: str
    anonymous_id: str
    cart_id: str
    zone: ZoneInfo
    phone: str | None = None


@dataclass(frozen=True)
class Product:
    """Something the shop sells."""

    product_id: str
    name: str
    price: float


SHOP_ZONE = ZoneInfo("Europe/Berlin")


def _shopper(name: str, browser: int, *, phone: str | None = None, zone: ZoneInfo = SHOP_ZONE) -> Shopper:
    dashed = name.replace(" ", "-")
    return Shopper(
        called=f"The {name}",
        user_id=f"user-{dashed}",
        email=f"{dashed}@shop.example",
        anonymous_id=f"browser-{browser}",
        cart_id=f"cart-{dashed}",
        phone=phone,
        zone=zone,
    )


REGULAR = _shopper("regular", 1)
VISITOR = _shopper("visitor", 2)
BUYER = _shopper("buyer", 3)
GUEST = _shopper("guest", 4)
COMMUTER = _shopper("commuter", 5)
COLLECTOR = _shopper("collector", 6)
NIGHT_OWL = _shopper("night owl", 7, phone="+351912345678", zone=ZoneInfo("Europe/Lisbon"))
PEOPLE = (REGULAR, VISITOR, BUYER, GUEST, COMMUTER, COLLECTOR, NIGHT_OWL)

WISHES = "cart-wishes"
"""The collector's other cart."""

GUIDE = Product("field-guide", "a field guide", 24.0)
BINOCULARS = Product("binoculars-8x42", "binoculars, 8x42", 189.0)
FEEDER = Product("window-feeder", "a window feeder", 17.5)
SCOPE = Product("spotting-scope", "a spotting scope", 640.0)
