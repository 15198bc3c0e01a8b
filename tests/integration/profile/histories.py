"""Random histories of a few homes and customers who share a browser, an e-mail and a cart."""

from __future__ import annotations

from random import Random

import msgspec

from integration.profile.world import World, customer
from tern_common.events import Event
from unit.profile.saying import ANN, BOB, at, event, identify, track

HOMES = ("h1", "h2", "h3", "h4", "h5")
CUSTOMERS = ("a", "b", "c")


def history(random: Random, length: int) -> World:
    """Events, copies with other times, merges and splits, in the order in which identity would say them."""
    world = World()
    for number, name in enumerate(HOMES):
        world.place(name, CUSTOMERS[number % len(CUSTOMERS)])
    filed: list[tuple[str, Event]] = []
    for number in range(length):
        step = random.random()
        if step < 0.15:
            world.move(random.choice(CUSTOMERS), *random.sample(HOMES, random.randint(1, 3)))
        elif step < 0.3 and filed:
            name, said = random.choice(filed)
            shift = random.choice([-1, 0, 1])
            world.file(name, msgspec.structs.replace(said, event_time=said.event_time + (at(shift) - at(0))))
        else:
            filed.append((random.choice(HOMES), _event(random, f"m{number}")))
            world.file(*filed[-1])
    return world


def with_erasures(random: Random, length: int) -> World:
    """The same, and then one home is erased alone and another with all that its customer has; and old events come late.

    A copy of a withdrawal comes with its own time: of copies that come after an erasure the latest counts.
    """
    world = history(random, length)
    token = world.owner[HOMES[0]][0]
    world.erase(token, *(name for name in HOMES if world.owner[name][0] == token))
    if left := [name for name in HOMES if name not in world.erased]:
        world.erase("a token of its own", random.choice(left))
    for number in range(5):
        world.file(random.choice(sorted(world.erased)), _event(random, f"late{number}"))
    return world


def ids() -> list[str]:
    return [customer(name) for name in CUSTOMERS]


def _event(random: Random, message_id: str) -> Event:
    hours, trusted = random.randint(0, 60), random.random() < 0.4
    mail = random.choice([ANN, BOB])
    match random.randint(0, 7):
        case 0:
            return identify(hours, message_id, trusted=trusted, email=mail)
        case 1:
            return identify(hours, message_id, trusted=trusted, plan=random.choice(["x", "y", None]), city=message_id)
        case 2:
            order_id = random.choice(["o1", "o2", "o3"])
            sent_to = {"country": random.choice(["DE", "JP", "US"])}
            total = random.randint(0, 9)
            return track("Order Completed", hours, message_id, order_id=order_id, total=total, shipping_address=sent_to)
        case 3:
            name = random.choice(["Order Refunded", "Order Cancelled"])
            return track(name, hours, message_id, order_id=random.choice(["o1", "o2"]), total=random.randint(1, 9))
        case 4:
            named = {"email": mail} if random.random() < 0.7 else {}
            name = random.choice(["Consent Granted", "Consent Withdrawn"])
            return track(name, hours, message_id, trusted=trusted, channel="email", **named)
        case 5:
            return track("Product Added", hours, message_id, cart_id="c", product_id=random.choice("pqr"))
        case 6:
            return track("Cart Updated", hours, message_id, cart_id="c", products=[{"product_id": "p"}])
        case _:
            zone = random.choice(["Europe/Berlin", "Asia/Tokyo", "UTC"])
            return event(message_id, hours, type="page", context={"timezone": zone})
