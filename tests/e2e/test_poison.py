"""Junk on the topics that services read: set aside with its reason and bytes, and no reason to stop."""

from __future__ import annotations

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import ConsumerRecord, RecordMetadata

from support.names import unique
from support.shop import HOUR, Shop, filled_cart, read_all
from support.waiting import eventually

REJECTED = "tern.events.rejected.v1"
EVENTS, RESOLVED, PROFILES = "tern.events.v1", "tern.resolved.v1", "tern.profiles.v1"
EVENTS_BACKFILL, RESOLVED_BACKFILL = "tern.events.backfill.v1", "tern.resolved.backfill.v1"
READERS = [
    (EVENTS, ["identity"]),
    (EVENTS_BACKFILL, ["identity"]),
    (RESOLVED, ["profile", "triggers"]),
    (RESOLVED_BACKFILL, ["profile", "triggers"]),
    (PROFILES, ["triggers"]),
]


JUNK = (
    b"",
    b"\x00\xff",
    b"[" * 50_000,
    b'"a text"',
    b'{"kind":"event"}',
    b'{"kind":"nothing"}',
    b'{"schema":99,"message_id":{"a":1}}',
)


async def written(shop: Shop, topic: str) -> list[tuple[RecordMetadata, bytes]]:
    """Junk, and where it stands now; every partition has some."""
    producer = AIOKafkaProducer(bootstrap_servers=shop.door("kafka"), acks="all")
    await producer.start()
    try:
        partitions = await producer.partitions_for(topic)
        return [
            (await producer.send_and_wait(topic, value, key=b"junk", partition=partition), value)
            for partition in partitions
            for value in JUNK
        ]
    finally:
        await producer.stop()


async def rejected(shop: Shop) -> list[ConsumerRecord]:
    """All that was set aside so far."""
    consumer = AIOKafkaConsumer(REJECTED, bootstrap_servers=shop.door("kafka"), auto_offset_reset="earliest")
    await consumer.start()
    try:
        return [record async for record in read_all(consumer)]
    finally:
        await consumer.stop()


@pytest.mark.parametrize(("topic", "readers"), READERS)
async def test_junk_is_set_aside_with_reason_service_place_and_bytes_and_good_events_go_on(
    shop: Shop, topic: str, readers: list[str]
) -> None:
    standing = await written(shop, topic)
    places = {f"{topic}/{at.partition}/{at.offset}": value for at, value in standing}
    expected = {(service, place, value) for place, value in places.items() for service in readers}
    user = unique("good")
    await shop.send(filled_cart(shop, user, f"cart-{user}"))

    async def set_aside() -> bool:
        found = {}
        for record in await rejected(shop):
            headers = {name: value.decode() for name, value in record.headers}
            if headers["place"] in places:
                found[headers["service"], headers["place"], record.value] = headers["reason"]
        assert all(found.values())
        return found.keys() == expected

    await eventually(set_aside, 30, "all of it is set aside, once for each reader")
    await shop.advance(2 * HOUR)
    customer = await shop.customer("user_id", user)
    assert customer
    assert len(await shop.triggers_for(customer["customer_id"])) == 1
