"""The identity process: consume, claim safe time, answer. The only place that builds its parts."""

from __future__ import annotations

from tern_common import db, lifecycle, topics
from tern_common.auth import Tokens
from tern_common.bus import Bus, Log
from tern_common.clock import Clock, clock_for
from tern_common.consume import consume
from tern_common.errors import Transient
from tern_common.hashing import Hasher
from tern_common.http import Probes, create_app, policy_router
from tern_common.kafka import kafka_bus
from tern_common.lifecycle import Loop
from tern_common.logs import logger
from tern_common.meters import PrometheusMeter
from tern_common.policy import load_policy
from tern_common.progress import claim_source
from tern_common.rejecting import Rejecting
from tern_common.sealing import Sealer
from tern_common.shipped import shipped
from tern_identity.app import SUMMARY, customer_router
from tern_identity.consumer import GROUP, EventHandler
from tern_identity.domain.rules import Rules
from tern_identity.settings import IdentitySettings
from tern_identity.store import Keys, Numbers, Store
from tern_identity.store.lookup import Directory

SERVICE = "identity"
LANE = "live"

_TOPICS = (topics.EVENTS, topics.RESOLVED, topics.IDENTITY, topics.PROGRESS, topics.REJECTED)
_PAUSE_S = 0.5


async def serve(settings: IdentitySettings) -> None:
    """Runs until it is told to stop."""
    rules = load_policy(settings.policy_file or shipped("tern_identity", "policy.yaml"), Rules)
    clock = clock_for(settings.clock_file)
    hasher = Hasher(settings.hash_key.get_secret_value().encode())
    sealer = Sealer.parse(settings.sealing_keys.get_secret_value())
    pool = await db.open_pool(settings.database_url.get_secret_value(), service=SERVICE, size=settings.db_pool_size)
    try:
        async with kafka_bus(settings.kafka_bootstrap, f"tern-{SERVICE}") as bus:
            await _topics_stand(bus.log, clock)
            store = Store(pool, Keys(hasher, sealer, clock), Numbers(rules, settings.version_epoch))
            app = create_app(
                service=SERVICE,
                summary=SUMMARY,
                probes=Probes({"database": lambda: db.check(pool), "kafka": lambda: _answers(bus.log)}),
                routers=[customer_router(Directory(pool, hasher, sealer)), policy_router(rules)],
                tokens=Tokens(pool, clock),
                clock=clock,
            )
            loops = _loops(settings, bus, clock, EventHandler(store, pool, bus.producer))
            await lifecycle.run(app, settings.http_host, settings.http_port, loops, clock=clock)
    finally:
        await pool.close()


def _loops(settings: IdentitySettings, bus: Bus, clock: Clock, handler: EventHandler) -> dict[str, Loop]:
    meter = PrometheusMeter(SERVICE)

    async def events() -> None:
        consumer = await bus.subscribe(GROUP, [topics.EVENTS])
        rejecting = Rejecting(bus.producer, SERVICE)
        await consume(consumer, handler, rejecting, clock, limit=settings.batch_records, meter=meter)

    async def progress() -> None:
        await claim_source(
            bus.log,
            bus.producer,
            clock,
            group=GROUP,
            source_topic=topics.EVENTS,
            output_topic=topics.RESOLVED,
            service=SERVICE,
            lane=LANE,
            interval_s=settings.progress_interval_ms / 1000,
            meter=meter,
        )

    return {"events": events, "progress": progress}


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


if __name__ == "__main__":
    lifecycle.start(SERVICE, IdentitySettings, serve)
