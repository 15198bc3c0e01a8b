"""The trigger process: consume, know what is safe, decide, publish, answer. The only place that builds its parts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from fastapi import APIRouter

from tern_common import lifecycle, topics
from tern_common.consume import consume
from tern_common.db import Pool, connection
from tern_common.giving_way import GivingWay
from tern_common.ground import Ground, ground
from tern_common.http import Standing, clock_router, create_app, policy_router
from tern_common.lanes import BACKFILL, LIVE, NOTHING_YET, BackfillPolicy
from tern_common.lifecycle import Loop
from tern_common.meters import PrometheusMeter
from tern_common.policy import load_policy
from tern_common.progress import Claims
from tern_common.rejecting import Rejecting
from tern_common.shipped import shipped
from tern_triggers.app import SUMMARY, triggers_router
from tern_triggers.app.contract import contract_routes
from tern_triggers.catalogue import digest_of, load_rules
from tern_triggers.consumer import BACKFILL_GROUP, BACKFILL_TOPICS, GROUP, TOPICS, Positions, TriggersHandler
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rules import Rule, ruleset
from tern_triggers.publishing import Publisher
from tern_triggers.safety import SafeTime
from tern_triggers.settings import TriggersSettings
from tern_triggers.store import agenda, positions
from tern_triggers.store.batch import Writing
from tern_triggers.timing import Timing

SERVICE = "triggers"


async def serve(settings: TriggersSettings) -> None:
    """Runs until it is told to stop."""
    policy = load_policy(settings.policy_file or shipped("tern_triggers", "policy.yaml"), Policy)
    rules = load_rules(settings.rules_dir)
    writing = Writing(ruleset=ruleset(rules), policy=policy, source=f"/tern/{settings.deployment}")
    async with ground(SERVICE, settings, _topics(rules)) as on:
        app = create_app(
            service=SERVICE,
            summary=SUMMARY,
            probes=on.probes,
            routers=[triggers_router(on.pool, on.clock), policy_router(policy), *_virtual_clock(settings, on.pool)],
            routes=contract_routes(),
            tokens=on.tokens,
            clock=on.clock,
        )
        loops = _loops(settings, on, writing)
        await lifecycle.run(app, settings.http_address, loops, clock=on.clock)


def _topics(rules: Sequence[Rule]) -> list[str]:
    families = {topics.triggers_topic(rule.family) for rule in rules}
    return [*TOPICS, *BACKFILL_TOPICS, topics.PROGRESS, topics.REJECTED, *sorted(families)]


def _loops(settings: TriggersSettings, on: Ground, writing: Writing) -> dict[str, Loop]:
    pool, clock = on.pool, on.clock
    known = Positions(pool, on.bus.log)
    claims = Claims(on.bus, clock)
    publisher = Publisher(pool, on.bus.producer, clock, writing.policy.outbox)
    handler = TriggersHandler(pool, writing, known, publisher, clock)
    timing = Timing(pool, writing, publisher, clock)
    safe_time = SafeTime(pool, claims, known, clock)

    async def decisions() -> None:
        await timing.run(digest_of(writing.ruleset.rules, writing.policy))

    return {
        **_reading(settings, on, handler, writing.policy.backfill, safe_time),
        "claims": claims.follow,
        "safe_time": partial(safe_time.follow, LIVE),
        "safe_time-backfill": partial(safe_time.follow, BACKFILL),
        "decisions": decisions,
        "relay": publisher.relay,
    }


def _reading(
    settings: TriggersSettings, on: Ground, handler: TriggersHandler, policy: BackfillPolicy, safe_time: SafeTime
) -> dict[str, Loop]:
    """The consumers of both lanes: like two instances of the service, which share their customers by locks."""
    bus, clock = on.bus, on.clock
    rejecting = Rejecting(bus.producer, SERVICE)

    async def events() -> None:
        consumer = await bus.subscribe(GROUP, TOPICS)
        meter = PrometheusMeter(SERVICE)
        await consume(consumer, handler, rejecting, clock, limit=settings.batch_records, meter=meter)

    async def backfill() -> None:
        joined = await bus.subscribe(BACKFILL_GROUP, BACKFILL_TOPICS, unhurried=True)
        consumer = GivingWay(joined, lambda: safe_time.reached(LIVE), clock, policy.give_way_after, BACKFILL_GROUP)
        limit, meter = min(settings.batch_records, policy.batch), PrometheusMeter(BACKFILL_GROUP)
        await consume(consumer, handler, rejecting, clock, limit=limit, meter=meter)

    return {"events": events, "backfill": backfill}


def _virtual_clock(settings: TriggersSettings, pool: Pool) -> list[APIRouter]:
    async def standing() -> Standing:
        async with connection(pool) as conn:
            safe = await positions.safe(conn)
            planned = await agenda.next_look(conn)
        return Standing(next=planned, safe_time=safe.all if safe else NOTHING_YET)

    return [clock_router(standing)] if settings.clock_file else []


if __name__ == "__main__":
    lifecycle.start(SERVICE, TriggersSettings, serve)
