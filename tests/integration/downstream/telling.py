"""What identity really publishes about a random shop: merges, late facts, quarantine, operators' acts, erasures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from random import Random
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Raw

from integration.identity.desk import ACT, FIRST_DAY, Desk, browser, email, phone, user
from integration.identity.graph_in_database import Graphs
from integration.identity.shop_talk import record
from tern_common.bus import Record
from tern_common.errors import Refused
from tern_common.events import Event, Merged, ResolvedEvent, decode_resolved
from tern_common.identifiers import Identifier
from tern_common.topics import RESOLVED
from tern_identity.store.acting import Wish
from unit.identity.histories import TIGHT, Said, event, saying

_NAMED: Sequence[Identifier] = (*map(user, (1, 2)), *map(phone, (1, 2, 3)), *map(email, (1, 2)), browser(1))


async def told(graphs: Graphs, random: Random, events: int = 40) -> list[Record]:
    """The records of `tern.resolved.v1`, as they were published: some events twice, each fifth step an operator's."""
    desk = Desk(graphs, TIGHT)
    history = [shopping(random, saying(random, messages=10_000)) for _ in range(events)]
    for start in range(0, events, 4):
        again = random.sample(history[:start], min(start, 1))
        await desk.worker.take([record(one) for one in (*history[start : start + 4], *again)])
        if random.random() < 0.6:
            with suppress(Refused):
                await desk.operators.act(_wish(desk, random), ACT)
    with suppress(Refused):
        await desk.operators.act(Wish("erase", (random.choice(_NAMED),), (), FIRST_DAY), ACT)
    await desk.worker.take([record(one) for one in random.sample(history, 8)])
    return desk.worker.bus.sent(RESOLVED)


def _wish(desk: Desk, random: Random) -> Wish:
    a, b = random.sample(_NAMED[:-1], 2)
    day = FIRST_DAY + random.randint(0, 3)
    merges = [one.merge_id for one in desk.worker.notices() if isinstance(one, Merged)]
    match random.choice(["revert", "split", "block", "retire", "erase"]):
        case "revert" if merges:
            return Wish("revert", day=day, merge_id=UUID(random.choice(merges)))
        case "split":
            return Wish("split", (a,), (b,), day)
        case "block":
            return Wish("block", (random.choice(_NAMED),), (), day)
        case "erase":
            return Wish("erase", (random.choice(_NAMED),), (), day)
        case _:
            return Wish("retire", (phone(random.randint(1, 3)),), (), day)


def shopping(random: Random, said: Said) -> Event:
    """The same identifiers, on an event that profile and triggers make something of."""
    told = event(said)
    contacts: dict[str, Any] = msgspec.json.decode(told.traits)
    match random.randint(0, 5):
        case 0 | 1:
            return _with_traits(told, {**contacts, "plan": random.choice("xy"), "city": f"city-{said.message}"})
        case 2:
            cart = {"cart_id": random.choice(["c1", "c2", "c3"]), "products": [_product(random)]}
            return _track(told, "Cart Updated", cart)
        case 3:
            order = {
                "order_id": f"o{random.randint(1, 9)}",
                "total": random.randint(1, 9),
                "products": [_product(random)],
            }
            return _track(told, "Order Completed", {**order, **contacts})
        case 4:
            return _track(
                told, "Consent Granted", {"channel": "email", "email": f"ann{random.randint(1, 3)}@example.com"}
            )
        case _:
            name = random.choice(["Consent Withdrawn", "Consent Granted"])
            return _track(told, name, {"channel": "email"})


def _product(random: Random) -> dict[str, Any]:
    return {"product_id": random.choice(["tea", "pot", "cup"]), "quantity": 1, "price": 5}


def _with_traits(told: Event, traits: Mapping[str, Any]) -> Event:
    return msgspec.structs.replace(told, traits=Raw(msgspec.json.encode(traits)))


def _track(told: Event, name: str, properties: Mapping[str, Any]) -> Event:
    return msgspec.structs.replace(
        told, type="track", name=name, traits=Raw(b"{}"), properties=Raw(msgspec.json.encode(properties))
    )


def customers(records: Sequence[Record]) -> list[str]:
    """Every id that is named."""
    found: set[str] = set()
    for one in records:
        said = decode_resolved(one.value)
        found.add(said.customer_id)
        if not isinstance(said, ResolvedEvent):
            found.update(said.from_)
    return sorted(found)
