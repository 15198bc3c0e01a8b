"""The ingest process: settings in, HTTP server up. The only place that builds its parts."""

from __future__ import annotations

from fastapi import APIRouter

from tern_common import db, lifecycle, topics
from tern_common.auth import Tokens
from tern_common.bus import Log
from tern_common.clock import Clock, clock_for
from tern_common.errors import Transient
from tern_common.http import Probes, Standing, clock_router
from tern_common.kafka import kafka_bus
from tern_common.logs import logger
from tern_common.policy import load_policy
from tern_common.settings import ServiceSettings
from tern_common.shipped import shipped
from tern_ingest.app import build, tracking
from tern_ingest.bodies import Bodies
from tern_ingest.domain.policy import Policy
from tern_ingest.front import Front
from tern_ingest.keyring import Keyring
from tern_ingest.outgoing import SERVICE
from tern_ingest.store import Store
from tern_ingest.tracking import Door

_TOPICS = (topics.EVENTS, topics.REJECTED)
_PAUSE_S = 0.5


async def serve(settings: ServiceSettings) -> None:
    """Runs until it is told to stop."""
    policy = load_policy(settings.policy_file or shipped("tern_ingest", "policy.yaml"), Policy)
    clock = clock_for(settings.clock_file)
    pool = await db.open_pool(settings.database_url.get_secret_value(), service=SERVICE, size=settings.db_pool_size)
    try:
        async with kafka_bus(settings.kafka_bootstrap, f"tern-{SERVICE}") as bus:
            await _topics_stand(bus.log, clock)
            store = Store(pool)
            keyring = Keyring(store.live_keys, clock, policy)
            door = Door(keyring, bus.producer, clock, Bodies(policy), policy)
            probes = Probes({"database": lambda: db.check(pool), "kafka": lambda: _answers(bus.log)})
            app = build(door, store, Tokens(pool, clock), probes, _virtual_clock(settings))
            loops = {"write-keys": keyring.follow}
            front = Front(app, tracking(door), clock)
            await lifecycle.run(front, settings.http_host, settings.http_port, loops, clock=clock)
    finally:
        await pool.close()


async def _topics_stand(log: Log, clock: Clock) -> None:
    """Waits for a broker. Raises `Misconfigured` when a topic is missing or shaped differently."""
    while True:
        try:
            return topics.require(_TOPICS, await log.shapes())
        except Transient as wrong:
            logger.warning("waiting for kafka", why=str(wrong))
            await clock.sleep(_PAUSE_S)


async def _answers(log: Log) -> None:
    await log.ends(topics.EVENTS)


def _virtual_clock(settings: ServiceSettings) -> list[APIRouter]:
    """Ingest has no timers, and knows everything at once: nothing to wait for when the clock is moved."""

    async def standing() -> Standing:
        return Standing(next=None, safe_time=None)

    return [clock_router(standing)] if settings.clock_file else []


if __name__ == "__main__":
    lifecycle.start(SERVICE, ServiceSettings, serve)
