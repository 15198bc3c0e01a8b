"""How triggers and decisions are told: what stands in them, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tern_local.demo.verdict import FIRED


def told(event: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """A trigger. `names`: customer id → how the story calls them."""
    data, who = event["data"], names.get(event["subject"], event["subject"])
    if event["type"] != FIRED:
        kind = str(event["type"]).split(".")[2]
        return f"{kind}: {data['rule']} of {who}, for: {data['reason']} at {_time(data['at'])} UTC. Do not send it."
    ways = ", ".join(f"{way['channel']} to {way.get('contact', '?')}" for way in data["channels"])
    return f"{data['rule']}: {who} {_reason(data)}. Allowed: {ways}."


def _reason(data: Mapping[str, Any]) -> str:
    if "cart" in data:
        items = " and ".join(item.get("name") or item["product_id"] for item in data["cart"]["items"])
        return f"left {items} in the cart"
    if "orders" in data and data["rule"] == "recall":
        last = datetime.fromisoformat(data["orders"]["last_order_at"])
        return f"has not ordered since {last:%d %B %Y}"
    return "ordered for the first time"


def _time(moment: str) -> str:
    return f"{datetime.fromisoformat(moment):%H:%M}"


def because(thing: Mapping[str, Any]) -> str:
    """Of all that `GET /v1/decisions/explain` says of a cart: what was decided, or what it waits for."""
    _, *sentences = thing["sentences"]
    if thing["put_off"]:
        return str(sentences[1])  # the first says since when it goes on
    decided = thing["decisions"]
    if any(one["outcome"] == "ended" for one in decided):
        return str(sentences[-1])
    told_of = sum(1 + sum(bool(one[f"{word}_at"]) for word in ("retracted", "cancelled")) for one in decided)
    return " ".join(sentences[:told_of])
