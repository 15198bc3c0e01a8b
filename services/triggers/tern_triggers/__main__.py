"""The trigger process: consume, know what is safe, decide, publish, answer. The only place that builds its parts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from fastapi import APIRouter

from tern_common import lifecycle, topics
from tern_common.consume import consume
from tern_common.db import Pool, connection
from tern_common.fetching import Pacing
from tern_common.giving_way import GivingWay
from tern_common.ground import Ground, ground
from tern_common.http import Standing, clock_router, create_app, policy_router
from tern_common.lanes import BACKFILL, LIVE, NOTHING_YET, BackfillPolicy
from tern_common.lifecycle import Loop
from tern_common.logs import logger
from tern_common.meters import PrometheusMeter
from tern_common.policy import load_policy
from tern_common.progress import Claims
from tern_common.rejecting import Rejecting
from tern_common.settings import crew
from tern_common.shipped import shipped
from tern_triggers.app import SUMMARY, triggers_router
from tern_triggers.app.contract import contract_routes
from tern_triggers.app.explaining import explaining_router
from tern_triggers.app.reports import reports_router
from tern_triggers.catalogue import digest_of, load_rules
from tern_triggers.consumer import BACKFILL_GROUP, BACKFILL_TOPICS, GROUP, TOPICS, Positions, TriggersHandler
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rules import Rule
from tern_triggers.publishing import Publisher
from tern_triggers.reporting import REPORTS_GROUP, REPORTS_TOPICS, ReportsHandler
from tern_triggers.safety import SafeTime
from tern_triggers.settings import TriggersSettings
from tern_triggers.store import agenda, positions
from tern_triggers.store.rule_seeds import seed
from tern_triggers.store.rulebook import Rulebook
from tern_triggers.store.writing import Writing
from tern_triggers.sweeping import Sweeping, check
from tern_triggers.timing import Timing

SERVICE = "triggers"
_BATCH_RECORDS = 2_000
"""At most so many in one transaction."""
_MANY = 100
"""From so many on, the next ones do not wait until what was decided at once is published."""


async def serve(settings: TriggersSettings) -> None:
    """Runs until it is told to stop."""
    policy = load_policy(settings.policy_file or shipped("tern_triggers", "policy.yaml"), Policy)
    check(policy.keep)
    rules = load_rules(settings.rules_dir)
    writing = Writing(rulebook=Rulebook(), policy=policy, source=f"/tern/{settings.deployment}")
    async with ground(SERVICE, settings, _topics()) as on:
        app = create_app(
            service=SERVICE,
            summary=SUMMARY,
            probes=on.probes,
            routers=[
                triggers_router(on.pool, on.clock),
                explaining_router(on.pool, writing.rulebook, policy, on.clock),
                reports_router(on.pool, on.bus.producer, on.clock),
                policy_router(policy),
                *_virtual_clock(settings, on.pool),
            ],
            routes=contract_routes(),
            tokens=on.tokens,
            clock=on.clock,
        )
        loops = _loops(on, writing, _Sowing(on, rules, writing.rulebook))
        await lifecycle.run(app, settings.http_address, loops, clock=on.clock)


def _topics() -> list[str]:
    families = map(topics.triggers_topic, topics.FAMILIES)
    return [*TOPICS, *BACKFILL_TOPICS, *REPORTS_TOPICS, topics.PROGRESS, topics.REJECTED, *families]


class _Sowing:
    """Brings the rules of the files into the database, before anything is read or decided by them."""

    def __init__(self, on: Ground, rules: Sequence[Rule], rulebook: Rulebook) -> None:
        self._on = on
        self._rules = rules
        self._rulebook = rulebook
        self._once = asyncio.Lock()
        self._done = False

    def before(self, loop: Loop) -> Loop:
        """The loop, which waits until the rules are there."""

        async def begun() -> None:
            await self._sow()
            await loop()

        return begun

    async def _sow(self) -> None:
        async with self._once:
            if self._done:
                return
            for skipped in await seed(self._on.pool, self._rules, self._on.clock.now()):
                logger.warning("rule of a file left out", rule=skipped.rule, why=skipped.why)
            await self._rulebook.read(self._on.pool)
            self._done = True


def _loops(on: Ground, writing: Writing, sowing: _Sowing) -> dict[str, Loop]:
    pool, clock = on.pool, on.clock
    known = Positions(pool, on.bus.log)
    claims = Claims(on.bus, clock)
    publisher = Publisher(pool, on.bus.producer, clock, writing)
    handler = TriggersHandler(pool, writing, known, publisher, clock)
    timing = Timing(pool, writing, publisher, clock)
    safe_time = SafeTime(pool, claims, known, clock)

    by_rules: dict[str, Loop] = {
        **_reading(on, handler, writing.policy.backfill, safe_time),
        "decisions": partial(timing.run, digest_of([], writing.policy)),
        "edits": timing.follow_edits,
        "sweeping": Sweeping(pool, writing, clock).run,
    }
    return {
        **{name: sowing.before(loop) for name, loop in by_rules.items()},
        "reports": partial(_reports, on),
        "claims": claims.follow,
        "safe_time": partial(safe_time.follow, LIVE),
        "safe_time-backfill": partial(safe_time.follow, BACKFILL),
        "relay": publisher.relay,
    }


async def _reports(on: Ground) -> None:
    """What marketing systems and storefronts say."""
    consumer = await on.bus.subscribe(REPORTS_GROUP, REPORTS_TOPICS)
    handler, meter = ReportsHandler(on.pool, on.clock), PrometheusMeter(REPORTS_GROUP)
    rejecting = Rejecting(on.bus.producer, SERVICE, on.clock)
    await consume(consumer, handler, rejecting, on.clock, pace=Pacing(_BATCH_RECORDS, stands=True), meter=meter)


def _reading(on: Ground, handler: TriggersHandler, policy: BackfillPolicy, safe_time: SafeTime) -> dict[str, Loop]:
    """The consumers of both lanes: like two instances of the service, which share their customers by locks."""
    bus, clock = on.bus, on.clock
    rejecting = Rejecting(bus.producer, SERVICE, clock)

    async def events() -> None:
        consumer = await bus.subscribe(GROUP, TOPICS)
        meter = PrometheusMeter(SERVICE)
        pace = Pacing(_BATCH_RECORDS, many=_MANY)
        await consume(consumer, handler, rejecting, clock, pace=pace, meter=meter)

    async def backfill() -> None:
        joined = await bus.subscribe(BACKFILL_GROUP, BACKFILL_TOPICS, unhurried=True)
        consumer = GivingWay(joined, lambda: safe_time.reached(LIVE), clock, policy, BACKFILL_GROUP)
        limit, meter = min(_BATCH_RECORDS, policy.batch), PrometheusMeter(BACKFILL_GROUP)
        await consume(consumer, handler, rejecting, clock, pace=Pacing(limit, stands=True), meter=meter)

    return {"events": events, "backfill": backfill}


def _virtual_clock(settings: TriggersSettings, pool: Pool) -> list[APIRouter]:
    async def standing() -> Standing:
        async with connection(pool) as conn:
            safe = await positions.safe(conn)
            planned = await agenda.next_look(conn)
        return Standing(next=planned, safe_time=safe.all if safe else NOTHING_YET)

    return [clock_router(standing)] if settings.clock_file else []


if __name__ == "__main__":
    lifecycle.start(SERVICE, TriggersSettings, serve, crew)
