"""What the profile service's integration tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from integration.profile.world import Worker, World
from support.names import unique
from tern_common import topics
from tern_common.bus import Bus
from tern_common.db import Pool, open_pool
from tern_common.kafka import kafka_bus
from unit.profile.saying import ANN, identify, track


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """Of a fresh database."""
    opened = await open_pool(database, service="profile", size=6)
    yield opened
    await opened.close()


@pytest.fixture
def worker(pool: Pool) -> Worker:
    """One instance on that database, with a bus of its own."""
    return Worker(pool)


@pytest.fixture
async def bus(kafka_bootstrap: str) -> AsyncIterator[Bus]:
    """On the broker of all tests, with every topic."""
    async with kafka_bus(kafka_bootstrap, unique("profile")) as opened:
        await opened.log.create(topics.TABLE)
        yield opened


@pytest.fixture
def shop() -> World:
    """Ann came as a visitor, then was known."""
    world = World()
    world.place("visit", "visitor")
    world.place("member", "ann")
    world.file("visit", track("Product Added", 1, product_id="pen", cart_id="c", price=2.5))
    world.file("member", identify(3, trusted=True, email=ANN, name="Ann", plan="a"))
    world.file("member", track("Order Completed", 4, order_id="o", total=5, currency="EUR"))
    world.file("member", track("Consent Granted", 5, trusted=True, channel="email", email=ANN))
    world.move("ann", "visit")
    world.door("email", ANN, "ann")
    return world
