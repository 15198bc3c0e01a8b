"""Where parcels of a customer go, as far as it tells the time there. Keeps no address: only the zone it lies in.

Tolerant: an address without a country, or with one whose zones differ and no province, says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from tern_common.commerce import properties_of
from tern_common.events import Event
from tern_profile.domain import zones

ADDRESS = "address"
"""The trait that holds an address, of the Segment specification."""

_COUNTRY = ("country", "country_code", "countryCode")
_PROVINCE = ("state", "province", "region", "province_code", "provinceCode")
_SHIPPING = ("shipping_address", "shippingAddress", "delivery_address")


def zone_of_order(event: Event) -> str | None:
    """The zone that an order is sent to."""
    if b"address" not in bytes(event.properties).lower():
        return None
    properties = properties_of(event)
    return next((zone for name in _SHIPPING if (zone := _zone(properties.get(name))) is not None), None)


def zone_of_trait(value: Raw) -> str | None:
    """The zone of an address that is a trait: JSON that can be read."""
    return _zone(msgspec.json.decode(value))


def _zone(address: object) -> str | None:
    if not isinstance(address, dict):
        return None
    country = _text(address, _COUNTRY)
    return zones.of_address(country, _text(address, _PROVINCE)) if country else None


def _text(address: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """The first that is said."""
    return next((said for name in names if isinstance(said := address.get(name), str) and said), "")
