"""The story: seven people in a shop for bird watchers, ninety days and one long night, and what Tern makes of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

from tern_common.clock import Clock
from tern_local.demo.cast import (
    BINOCULARS,
    BUYER,
    COLLECTOR,
    COMMUTER,
    FEEDER,
    GUEST,
    GUIDE,
    NIGHT_OWL,
    PEOPLE,
    REGULAR,
    SCOPE,
    SHOP_ZONE,
    VISITOR,
    WISHES,
    Shopper,
)
from tern_local.demo.claims import CLAIMS, FIRST_ORDER, HASTY, REMINDER
from tern_local.demo.doors import Doors
from tern_local.demo.shop import Shop
from tern_local.demo.subscriber import Subscriber
from tern_local.demo.telling import Narrator
from tern_local.demo.verdict import Evidence, Wait, by_the_clock, faults
from tern_local.demo.words import because, told

_HASTY_RULE = Path(__file__).with_name(f"{HASTY}.yaml").read_bytes()
_LUNCH = 12
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
    waits: list[Wait] = field(default_factory=list)


async def play(stage: Stage) -> bool:
    """Whether it ended as it should."""
    await _until(stage, opening(stage.clock.now()))
    start = stage.clock.now()
    evening = _next(start + timedelta(days=89), time(23))
    morning = _next(evening, time(8))
    await _order_of_the_regular(stage)
    await _until(stage, evening)
    await _read(stage, "The marketing system looks into its topics.", 1)
    await _rule_on_trial(stage)
    await _visit(stage)
    await _until(stage, evening + timedelta(minutes=20))
    await _orders(stage)
    await _until(stage, evening + timedelta(minutes=80))
    await _night(stage)
    await _late_order(stage)
    await _until(stage, morning)
    await _order_of_the_night_owl(stage)
    await _until(stage, start + timedelta(days=90, minutes=10))
    await _read(stage, "Ninety days since that field guide. The marketing system looks once more.", 6)
    await _explained(stage)
    return await _end(stage)


def opening(now: datetime) -> datetime:
    """When the story begins: between twelve and one in the shop, so that everything in it has its time of day."""
    return now if now.astimezone(SHOP_ZONE).hour == _LUNCH else _next(now, time(_LUNCH))


def _next(after: datetime, at: time) -> datetime:
    """The next time that the clock on the shop's wall says so."""
    local = after.astimezone(SHOP_ZONE)
    today = datetime.combine(local.date(), at, SHOP_ZONE)
    return today if today >= local else datetime.combine(local.date() + timedelta(days=1), at, SHOP_ZONE)


async def _order_of_the_regular(stage: Stage) -> None:
    stage.narrator.scene(stage.clock.now(), "Somebody orders for the first time, and allows e-mail.")
    stage.shop.signs_in(REGULAR)
    stage.shop.allows_mail(REGULAR)
    stage.shop.orders(REGULAR, FIRST_ORDER, [GUIDE])
    stage.narrator.act(REGULAR.called, f"orders {GUIDE.name} for {GUIDE.price:.2f} EUR")
    await _deliver(stage)


async def _rule_on_trial(stage: Stage) -> None:
    stage.narrator.scene(stage.clock.now(), "The marketing team wonders whether half an hour is long enough to wait.")
    mode = await stage.doors.put_rule(HASTY, _HASTY_RULE, "would it do better than an hour?")
    stage.narrator.act("The team", f"puts the rule {HASTY} in force; as every new rule it begins in {mode}")


async def _visit(stage: Stage) -> None:
    stage.narrator.scene(stage.clock.now(), "An evening in the shop. Nobody knows who these people are, yet.")
    shop, narrator = stage.shop, stage.narrator
    for who in (VISITOR, BUYER):
        shop.looks(who, BINOCULARS)
        narrator.act(who.called, f"looks at {BINOCULARS.name}; all there is of them is {who.anonymous_id}")
    shop.fills_nameless_cart(GUEST, [SCOPE])
    narrator.act(GUEST.called, f"puts {SCOPE.name} into the cart and says no name: {GUEST.anonymous_id}")
    await _deliver(stage)
    for who, cart in ((VISITOR, [BINOCULARS, FEEDER]), (BUYER, [BINOCULARS]), (COMMUTER, [FEEDER])):
        shop.signs_in(who)
        shop.allows_mail(who)
        shop.fills_cart(who, cart)
        names = " and ".join(product.name for product in cart)
        narrator.act(who.called, f"signs in, allows e-mail, and puts {names} into the cart")
    shop.signs_in(COLLECTOR)
    shop.allows_mail(COLLECTOR)
    shop.fills_cart(COLLECTOR, [GUIDE])
    shop.fills_cart(COLLECTOR, [SCOPE], WISHES)
    narrator.act(COLLECTOR.called, f"does so too, with two carts: {GUIDE.name} in one, {SCOPE.name} in the other")
    shop.signs_in(NIGHT_OWL)
    shop.allows_texts(NIGHT_OWL)
    shop.fills_cart(NIGHT_OWL, [BINOCULARS])
    narrator.act(NIGHT_OWL.called, "lives in Lisbon, where it is 22:00, allows nothing but text messages, and leaves")
    await _deliver(stage)


async def _orders(stage: Stage) -> None:
    stage.narrator.scene(stage.clock.now(), "Three of them order. Of one nobody hears.")
    stage.shop.orders(BUYER, "order-2", [BINOCULARS])
    stage.narrator.act(BUYER.called, "comes back and orders what is in the cart")
    stage.shop.signs_in(GUEST)
    stage.shop.allows_mail(GUEST)
    stage.shop.orders(GUEST, "order-3", [SCOPE])
    stage.narrator.act(GUEST.called, "registers at the checkout, allows e-mail, and orders")
    stage.narrator.act(COMMUTER.called, "orders on a train, in a tunnel: the order stays in the phone")
    await _deliver(stage)


async def _night(stage: Stage) -> None:
    await _read(stage, "An hour after the carts were left, and a little: the marketing system looks again.", 4)
    stage.narrator.scene(stage.clock.now(), "Why, and why not? Whoever may read the decision log may ask.")
    await _asked(stage, VISITOR, HASTY)
    await _asked(stage, COLLECTOR, REMINDER)
    stage.waits.extend(await _asked(stage, NIGHT_OWL, REMINDER))


async def _late_order(stage: Stage) -> None:
    stage.narrator.scene(stage.clock.now(), "The train has left the tunnel.")
    stage.shop.orders(COMMUTER, "order-4", [FEEDER], ago=timedelta(hours=1))
    stage.narrator.act(COMMUTER.called, "ordered an hour ago, says the phone: before the reminder")
    await _deliver(stage)
    await _read(stage, "What was said is taken back, under the same id.", 5)
    await _asked(stage, COMMUTER, REMINDER)


async def _order_of_the_night_owl(stage: Stage) -> None:
    stage.narrator.scene(stage.clock.now(), "It is 07:00 in Lisbon.")
    stage.shop.orders(NIGHT_OWL, "order-5", [BINOCULARS])
    stage.narrator.act(NIGHT_OWL.called, "wakes up and orders; no text message has disturbed the night")
    await _deliver(stage)


async def _explained(stage: Stage) -> None:
    stage.narrator.scene(stage.clock.now(), "And those who heard nothing?")
    for who in (BUYER, GUEST, NIGHT_OWL):
        await _asked(stage, who, REMINDER)


async def _deliver(stage: Stage) -> None:
    stage.narrator.sent(await stage.shop.delivered())


async def _until(stage: Stage, moment: datetime) -> None:
    span, start = moment - stage.clock.now(), stage.clock.monotonic()
    if span <= timedelta():
        return
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
        stage.narrator.read(topic, told(event, names))


async def _names(stage: Stage) -> dict[str, str]:
    """Customer id → how the story calls them, of those who are known. The platform is asked: the ids are its own."""
    found = {who.called: await stage.doors.customer_id(who.user_id) for who in PEOPLE}
    return {customer: called for called, customer in found.items() if customer}


async def _asked(stage: Stage, who: Shopper, rule: str) -> list[Wait]:
    """Tells what the platform says of a rule and a customer; returns what it says it has put off."""
    customer = await stage.doors.customer_id(who.user_id)
    things = await stage.doors.explained(customer, rule) if customer else []
    for thing in things:
        stage.narrator.decided(who.called, thing["sentences"][0], because(thing))
    return [_wait(who, rule, thing) for thing in things if thing["put_off"]]


def _wait(who: Shopper, rule: str, thing: dict[str, Any]) -> Wait:
    due = by_the_clock(thing["step"]["due_at"], who.zone)
    until = by_the_clock(thing["put_off"]["until"], who.zone)
    return Wait(who.called, rule, thing["key"], thing["put_off"]["why"], due, until)


async def _end(stage: Stage) -> bool:
    names = await _names(stage)
    decisions = {called: await stage.doors.decisions(customer) for customer, called in names.items()}
    zones = {who.called: who.zone for who in PEOPLE}
    wrong = faults(CLAIMS, Evidence(stage.subscriber.triggers, decisions, stage.waits, names, zones))
    stage.narrator.say("")
    for claim in () if wrong else CLAIMS:
        stage.narrator.right(claim.says)
    for fault in wrong:
        stage.narrator.wrong(fault)
    return not wrong
