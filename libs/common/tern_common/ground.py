"""What every service stands on, opened in one place: clock, database, bus, probes, tokens. Knows no service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tern_common import db
from tern_common.auth import Tokens
from tern_common.bus import Bus, Log
from tern_common.clock import Clock, clock_for
from tern_common.db import Pool
from tern_common.errors import Transient
from tern_common.http import Probes
from tern_common.kafka import kafka_bus
from tern_common.logs import logger
from tern_common.settings import ServiceSettings
from tern_common.topics import require

_PAUSE_S = 0.5


@dataclass(frozen=True)
class Ground:
    """The parts that a composition root hands on."""

    clock: Clock
    pool: Pool
    bus: Bus
    probes: Probes
    tokens: Tokens


@asynccontextmanager
async def ground(service: str, settings: ServiceSettings, needed: Sequence[str]) -> AsyncIterator[Ground]:
    """Yields once a broker answers and has the `needed` topics; closes everything afterwards.

    Raises `Misconfigured` when a topic is missing or shaped differently.
    """
    clock = clock_for(settings.clock_file)
    pool = await db.open_pool(settings.database_url.get_secret_value(), service=service, size=settings.db_pool_size)
    try:
        async with kafka_bus(settings.kafka_bootstrap, f"tern-{service}", settings.kafka_security) as bus:
            await _topics_stand(bus.log, needed, clock)

            async def kafka_answers() -> None:
                await bus.log.ends(needed[0])

            probes = Probes({"database": lambda: db.check(pool), "kafka": kafka_answers})
            yield Ground(clock, pool, bus, probes, Tokens(pool, clock))
    finally:
        await pool.close()


async def _topics_stand(log: Log, needed: Sequence[str], clock: Clock) -> None:
    """Waits for a broker, however long it is away."""
    while True:
        try:
            return require(needed, await log.shapes())
        except Transient as wrong:
            logger.warning("waiting for kafka", why=str(wrong))
            await clock.sleep(_PAUSE_S)
