"""Asks the platform whose everything became: identifiers over HTTP, events on `tern.resolved.v1`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import httpx
from aiokafka import AIOKafkaConsumer

from support.shop import Shop, read_all
from tern_common.events import MembershipChange, ResolvedEvent, decode_event, decode_resolved
from tern_common.identifiers import Identifier
from tern_common.topics import RESOLVED

AT_ONCE = 16


@dataclass(frozen=True)
class Filed:
    """Message id → the customer of its home; in `customers` only those who are somebody."""

    arrived: frozenset[str]
    customers: Mapping[str, str]


async def customers_of(shop: Shop, identifiers: Iterable[Identifier]) -> Mapping[Identifier, str]:
    """The customer of each, without those in quarantine. Each must be known."""
    turns = asyncio.Semaphore(AT_ONCE)
    found: dict[Identifier, str] = {}

    async def ask(one: Identifier) -> None:
        async with turns:
            customer, shared = await _look_up(shop, one)
        if not shared:
            found[one] = customer

    async with asyncio.TaskGroup() as tasks:
        for one in identifiers:
            tasks.create_task(ask(one))
    return found


async def _look_up(shop: Shop, one: Identifier) -> tuple[str, bool]:
    answer = await shop.http.post(
        f"{shop.door('identity')}/v1/customers/lookup",
        json={"namespace": one.namespace, "value": one.value},
        headers={"authorization": f"Bearer {shop.door('api_token')}"},
    )
    assert answer.status_code == httpx.codes.OK, f"{one.namespace}: {answer.text}"
    known = answer.json()
    return known["customer_id"], known["shared"]


async def filed(shop: Shop, tag: str) -> Filed:
    """Where the events of the world with this tag are, by the highest version of each home's membership."""
    memberships: dict[str, tuple[int, str, bool]] = {}
    homes: dict[str, str] = {}
    consumer = AIOKafkaConsumer(RESOLVED, bootstrap_servers=shop.door("kafka"), auto_offset_reset="earliest")
    await consumer.start()
    try:
        async for record in read_all(consumer):
            match decode_resolved(record.value):
                case ResolvedEvent() as event:
                    message_id = decode_event(event.event).message_id
                    if message_id.startswith(tag):
                        homes[message_id] = event.home_id
                    _raise(memberships, event.home_id, (event.membership_version, event.customer_id, event.shared))
                case MembershipChange() as change:
                    for home in change.homes:
                        _raise(memberships, home.home_id, (home.version, change.customer_id, change.shared))
    finally:
        await consumer.stop()
    whose = {message_id: memberships[home] for message_id, home in homes.items()}
    somebodys = {message_id: customer for message_id, (_, customer, shared) in whose.items() if not shared}
    return Filed(frozenset(whose), somebodys)


def _raise(memberships: dict[str, tuple[int, str, bool]], home: str, said: tuple[int, str, bool]) -> None:
    memberships[home] = max(memberships.get(home, said), said)
