"""The trigger process: consume, know what is safe, decide, publish, answer. The only place that builds its parts."""

from __future__ import annotations

from fastapi import APIRouter

from tern_common import db, lifecycle, topics
from tern_common.auth import Tokens
from tern_common.bus import Bus, Log
from tern_common.clock import Clock, clock_for
from tern_common.consume import consume
from tern_common.db import Pool, connection
from tern_common.errors import Transient
from tern_common.http import Probes, Standing, clock_router, create_app, policy_router
from tern_common.kafka import kafka_bus
from tern_common.lifecycle import Loop
from tern_common.logs import logger
from tern_common.meters import PrometheusMeter
from tern_common.policy import load_policy
from tern_common.progress import Claims
from tern_common.rejecting import Rejecting
from tern_common.shipped import shipped
from tern_triggers.app import SUMMARY, triggers_router
from tern_triggers.catalogue import digest_of, load_rules
from tern_triggers.consumer import GROUP, TOPICS, Positions, TriggersHandler
from tern_triggers.domain.policy import Policy
from tern_triggers.publishing import Publisher
from tern_triggers.safety import SafeTime
from tern_triggers.settings import TriggersSettings
from tern_triggers.store import agenda, positions
from tern_triggers.store.batch import Writing
from tern_triggers.timing import Timing

SERVICE = "triggers"
_PAUSE_S = 0.5


async def serve(settings: TriggersSettings) -> None:
    """Runs until it is told to stop."""
    clock = clock_for(settings.clock_file)
    policy = load_policy(settings.policy_file or shipped("tern_triggers", "policy.yaml"), Policy)
    rules = load_rules(settings.rules_dir)
    writing = Writing(rules=rules, policy=policy, source=f"/tern/{settings.deployment}")
    pool = await db.open_pool(settings.database_url.get_secret_value(), service=SERVICE, size=settings.db_pool_size)
    try:
        async with kafka_bus(settings.kafka_bootstrap, f"tern-{SERVICE}") as bus:
            await _topics_stand(bus.log, writing, clock)
            app = create_app(
                service=SERVICE,
                summary=SUMMARY,
                probes=Probes({"database": lambda: db.check(pool), "kafka": lambda: _answers(bus.log)}),
                routers=[triggers_router(pool, rules), policy_router(policy), *_virtual_clock(settings, pool)],
                tokens=Tokens(pool, clock),
                clock=clock,
            )
            loops = _loops(settings, bus, pool, writing, clock)
            await lifecycle.run(app, settings.http_host, settings.http_port, loops, clock=clock)
    finally:
        await pool.close()


def _loops(settings: TriggersSettings, bus: Bus, pool: Pool, writing: Writing, clock: Clock) -> dict[str, Loop]:
    known = Positions(pool, bus.log)
    claims = Claims(bus)
    publisher = Publisher(pool, bus.producer, clock, writing.policy.outbox)
    handler = TriggersHandler(pool, writing, known, publisher, clock)
    timing = Timing(pool, writing, publisher, clock)
    safe_time = SafeTime(pool, claims, known, clock)

    async def events() -> None:
        consumer = await bus.subscribe(GROUP, TOPICS)
        rejecting = Rejecting(bus.producer, SERVICE)
        meter = PrometheusMeter(SERVICE)
        await consume(consumer, handler, rejecting, clock, limit=settings.batch_records, meter=meter)

    async def decisions() -> None:
        await timing.plan_anew(digest_of(writing.rules, writing.policy))
        await timing.run()

    return {
        "events": events,
        "claims": claims.follow,
        "safe_time": safe_time.follow,
        "decisions": decisions,
        "relay": publisher.relay,
    }


async def _topics_stand(log: Log, writing: Writing, clock: Clock) -> None:
    """Waits for a broker. Raises `Misconfigured` when a topic is missing or shaped differently."""
    families = {topics.triggers_topic(rule.family) for rule in writing.rules}
    needed = [*TOPICS, topics.PROGRESS, topics.REJECTED, *sorted(families)]
    while True:
        try:
            return topics.require(needed, await log.shapes())
        except Transient as wrong:
            logger.warning("waiting for kafka", why=str(wrong))
            await clock.sleep(_PAUSE_S)


async def _answers(log: Log) -> None:
    await log.ends(topics.RESOLVED)


def _virtual_clock(settings: TriggersSettings, pool: Pool) -> list[APIRouter]:
    async def standing() -> Standing:
        async with connection(pool) as conn:
            safe = await positions.safe(conn)
            planned = await agenda.next_look(conn)
        return Standing(next=planned, safe_time=safe.all if safe else None)

    return [clock_router(standing)] if settings.clock_file else []


if __name__ == "__main__":
    lifecycle.start(SERVICE, TriggersSettings, serve)
