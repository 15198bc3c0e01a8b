"""The story: three people in a shop for bird watchers, ninety days, and what Tern makes of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tern_common.clock import Clock
from tern_local.demo.doors import Doors
from tern_local.demo.shop import Product, Shop, Shopper
from tern_local.demo.subscriber import Subscriber
from tern_local.demo.telling import Narrator
from tern_local.demo.verdict import FIRED, Expected, faults, found

CART, RECALL = "tern.triggers.cart.v1", "tern.triggers.recall.v1"

VISITOR = Shopper("The visitor", "user-visitor", "visitor@shop.example", "browser-1", "cart-visitor")
BUYER = Shopper("The buyer", "user-buyer", "buyer@shop.example", "browser-2", "cart-buyer")
REGULAR = Shopper("The regular", "user-regular", "regular@shop.example", "browser-3", "cart-regular")
PEOPLE = (VISITOR, BUYER, REGULAR)

GUIDE = Product("field-guide", "a field guide", 24.0)
BINOCULARS = Product("binoculars-8x42", "binoculars, 8x42", 189.0)
FEEDER = Product("window-feeder", "a window feeder", 17.5)

EXPECTED = (Expected(CART, "cart_abandoned", VISITOR.called), Expected(RECALL, "recall", REGULAR.called))
_LAG_S = 20.0
_POLL_S = 0.1


@dataclass(frozen=True)
class Stage:
    """Everything the story needs. `clock` is the platform's, virtual; `advance` moves it in step with safe time."""

    shop: Shop
    subscriber: Subscriber
    doors: Doors
    narrator: Narrator
    clock: Clock
    advance: Callable[[timedelta], Awaitable[None]]


async def play(stage: Stage) -> bool:
    """Whether it ended as it should."""
    await _order_of_the_regular(stage)
    await _pass(stage, timedelta(days=89, hours=22))
    await _visit(stage)
    await _pass(stage, timedelta(minutes=20))
    await _order_of_the_buyer(stage)
    await _pass(stage, timedelta(hours=1, minutes=10))
    await _read(stage, "The marketing system looks into its topics.", 1)
    await _pass(stage, timedelta(hours=6))
    await _read(stage, "Ninety days since that field guide. The marketing system looks again.", 2)
    return await _end(stage)


async def _order_of_the_regular(stage: Stage) -> None:
    stage.narrator.scene(stage.clock.now(), "Somebody whom the shop knows well orders, and allows e-mail.")
    stage.shop.signs_in(REGULAR)
    stage.shop.allows_mail(REGULAR)
    stage.shop.orders(REGULAR, "order-1", [GUIDE])
    stage.narrator.act(REGULAR.called, f"orders {GUIDE.name} for {GUIDE.price:.2f} EUR")
    await _deliver(stage)


async def _visit(stage: Stage) -> None:
    stage.narrator.scene(stage.clock.now(), "Two people come in. Nobody knows who they are, yet.")
    for who in (VISITOR, BUYER):
        stage.shop.looks(who, BINOCULARS)
        stage.narrator.act(who.called, f"looks at {BINOCULARS.name}; all there is of them is {who.anonymous_id}")
    await _deliver(stage)
    for who, cart in ((VISITOR, [BINOCULARS, FEEDER]), (BUYER, [BINOCULARS])):
        stage.shop.signs_in(who)
        stage.shop.allows_mail(who)
        stage.shop.fills_cart(who, cart)
        names = " and ".join(product.name for product in cart)
        stage.narrator.act(who.called, f"signs in, allows e-mail, and puts {names} into the cart")
    stage.narrator.act(VISITOR.called, "closes the browser")
    await _deliver(stage)


async def _order_of_the_buyer(stage: Stage) -> None:
    stage.narrator.scene(stage.clock.now(), "One of them comes back.")
    stage.shop.orders(BUYER, "order-2", [BINOCULARS])
    stage.narrator.act(BUYER.called, "orders what is in the cart")
    await _deliver(stage)


async def _deliver(stage: Stage) -> None:
    stage.narrator.sent(await stage.shop.delivered())


async def _pass(stage: Stage, span: timedelta) -> None:
    start = stage.clock.monotonic()
    await stage.advance(span)
    stage.narrator.passing(span, stage.clock.monotonic() - start)


async def _read(stage: Stage, text: str, at_least: int) -> None:
    """Reads the topics until they hold so many; how many they hold in the end is judged in the end."""
    stage.narrator.scene(stage.clock.now(), text)
    shown = len(stage.subscriber.triggers)
    deadline = stage.clock.monotonic() + _LAG_S
    await stage.subscriber.read()
    while len(stage.subscriber.triggers) < at_least and stage.clock.monotonic() < deadline:
        await stage.clock.sleep(_POLL_S)
        await stage.subscriber.read()
    names = await _names(stage)
    for topic, event in stage.subscriber.triggers[shown:]:
        stage.narrator.read(topic, _told(event, names))


async def _names(stage: Stage) -> dict[str, str]:
    """Customer id → how the story calls them. The platform is asked: the ids are its own."""
    return {await stage.doors.customer_id(who.user_id): who.called for who in PEOPLE}


def _told(event: dict[str, Any], names: dict[str, str]) -> str:
    data, who = event["data"], names.get(event["subject"], event["subject"])
    if event["type"] != FIRED:
        return f"{event['type']}: {who}"
    ways = ", ".join(f"{way['channel']} to {way.get('contact', '?')}" for way in data["channels"])
    why = _reason(data)
    return f"{data['rule']}: {who} {why}. Allowed: {ways}."


def _reason(data: dict[str, Any]) -> str:
    if "cart" in data:
        items = " and ".join(item.get("name") or item["product_id"] for item in data["cart"]["items"])
        return f"left {items} in the cart"
    last = datetime.fromisoformat(data["orders"]["last_order_at"])
    return f"has not ordered since {last:%d %B %Y}"


def _why(decision: dict[str, Any]) -> str:
    left = datetime.fromisoformat(decision["anchor_at"])
    facts = decision["facts"]
    gone = f" at {datetime.fromisoformat(facts['exit_at']):%H:%M}" if "exit_at" in facts else ""
    return (
        f"{decision['rule']}: the cart was left at {left:%H:%M}, and {decision['outcome']}: {decision['reason']}{gone}"
    )


async def _end(stage: Stage) -> bool:
    names = await _names(stage)
    ids = {called: customer_id for customer_id, called in names.items()}
    decisions = await stage.doors.decisions(ids[BUYER.called])
    stage.narrator.scene(stage.clock.now(), "And the buyer? The decision log says why there is nothing.")
    about_the_cart = [decision for decision in decisions if decision["rule"] == "cart_abandoned"]
    for decision in about_the_cart:
        stage.narrator.nothing(_why(decision))
    wrong = faults(EXPECTED, found(stage.subscriber.triggers, names))
    if not any(decision["reason"] == "ordered" for decision in about_the_cart):
        wrong.append("the decision log does not say why the buyer was not reminded")
    stage.narrator.say("")
    if not wrong:
        stage.narrator.right("One cart reminder for the visitor, none for the buyer, one recall for the regular.")
    for fault in wrong:
        stage.narrator.wrong(fault)
    return not wrong
