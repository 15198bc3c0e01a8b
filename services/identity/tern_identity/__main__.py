"""The identity process: consume, claim safe time, answer. The only place that builds its parts."""

from __future__ import annotations

from fastapi import APIRouter

from tern_common import lifecycle, topics
from tern_common.consume import consume
from tern_common.fetching import Pacing
from tern_common.giving_way import GivingWay
from tern_common.ground import Ground, ground
from tern_common.hashing import Hasher
from tern_common.http import claimed_clock_router, create_app, policy_router
from tern_common.http.tailing import Tails
from tern_common.lanes import LIVE, UPSTREAM, BackfillPolicy
from tern_common.lifecycle import Loop
from tern_common.meters import PrometheusMeter
from tern_common.policy import load_policy
from tern_common.progress import Claims, Hop, Passage, claim_source
from tern_common.rejecting import Rejecting
from tern_common.sealing import Sealer
from tern_common.settings import crew
from tern_common.shipped import shipped
from tern_identity.app import SUMMARY
from tern_identity.app.controls import controls_router
from tern_identity.app.customers import customer_router
from tern_identity.app.explain import explain_router
from tern_identity.app.graph import graph_router
from tern_identity.app.quarantine import quarantine_router
from tern_identity.app.tailing import tail_router
from tern_identity.consumer import BACKFILL_GROUP, BACKFILL_PASSAGE, GROUP, LIVE_PASSAGE, SERVICE, EventHandler
from tern_identity.domain.rules import Rules
from tern_identity.meters import PrometheusTally
from tern_identity.settings import IdentitySettings
from tern_identity.store import Keys, Numbers, Store
from tern_identity.store.explaining import Explainer
from tern_identity.store.jobs import Jobs
from tern_identity.store.lookup import Directory
from tern_identity.store.operators import Operators
from tern_identity.store.quarantine import Quarantine
from tern_identity.store.walks.deferring import Deferred
from tern_identity.store.walks.desk import Desk
from tern_identity.store.walks.steps import Chores
from tern_identity.working import GraphWork, tell_of_newer

_TOPICS = (
    topics.EVENTS,
    topics.EVENTS_BACKFILL,
    topics.RESOLVED,
    topics.RESOLVED_BACKFILL,
    topics.IDENTITY,
    topics.CATALOG,
    topics.PROGRESS,
    topics.REJECTED,
)
_SELDOM = 4
_BATCH_RECORDS = 10_000
"""At most so many in one transaction: what that costs by itself is shared by all of them."""
_OBJECTS_IN_HAND = 1_000_000  # more than three batches of ten thousand events are made of


async def serve(settings: IdentitySettings) -> None:
    """Runs until it is told to stop."""
    rules = load_policy(settings.policy_file or shipped("tern_identity", "policy.yaml"), Rules)
    hasher = Hasher(settings.hash_key.get_secret_value().encode())
    sealer = Sealer.parse(settings.sealing_keys.get_secret_value())
    async with ground(SERVICE, settings, _TOPICS) as on:
        keys = Keys(hasher, sealer, on.clock)
        tally = PrometheusTally()
        store = Store(on.pool, keys, Numbers(rules, settings.version_epoch), tally)
        claims, tails = Claims(on.bus, on.clock), Tails(on.bus, on.clock)
        app = create_app(
            service=SERVICE,
            summary=SUMMARY,
            probes=on.probes,
            routers=[
                customer_router(Directory(on.pool, hasher, sealer)),
                controls_router(Operators(on.pool, keys, store, on.bus.producer), store, on.clock),
                explain_router(Explainer(on.pool, keys), store.refresh),
                quarantine_router(Quarantine(on.pool, keys), store.refresh),
                graph_router(Jobs(on.pool), on.clock),
                policy_router(store.refresh),
                tail_router(tails),
                *_virtual_clock(settings, claims),
            ],
            tokens=on.tokens,
            clock=on.clock,
        )
        loops = {**_reading(on, store, rules.backfill, claims), **_claiming(settings, on, rules, claims)}
        loops["graph"] = _graph_work(on, Desk(on.pool, sealer, on.clock, rules, settings.version_epoch, tally=tally))
        await lifecycle.run(app, settings.http_address, loops, stop=tails.stopping, clock=on.clock)


def _holdoff_s(settings: IdentitySettings, rules: Rules) -> float:
    """None on a virtual clock: who moves it is the only client, and would wait for it in real time."""
    return 0.0 if settings.clock_file else rules.holdoff.total_seconds()


def _interval_s(settings: IdentitySettings, lane: str) -> float:
    """What waits for history waits for days, so its lane is claimed seldom: except on a virtual clock, where days pass
    at once and whoever moves it waits for both lanes."""
    every_s = settings.progress_interval_ms / 1000
    return every_s if lane == LIVE or settings.clock_file else every_s * _SELDOM


def _reading(on: Ground, store: Store, policy: BackfillPolicy, claims: Claims) -> dict[str, Loop]:
    """The consumers of both lanes. They share the store, so that one graph grows."""
    bus, clock = on.bus, on.clock
    rejecting = Rejecting(bus.producer, SERVICE, clock)

    async def events() -> None:
        handler = EventHandler(store, on.pool, bus.producer)
        consumer = await bus.subscribe(GROUP, [topics.EVENTS])
        meter = PrometheusMeter(SERVICE)
        await consume(consumer, handler, rejecting, clock, pace=Pacing(_BATCH_RECORDS), meter=meter)

    async def backfill() -> None:
        handler = EventHandler(store, on.pool, bus.producer, topics.RESOLVED_BACKFILL)
        joined = await bus.subscribe(BACKFILL_GROUP, [topics.EVENTS_BACKFILL], unhurried=True)
        consumer = GivingWay(joined, lambda: claims.proved(UPSTREAM, LIVE), clock, policy, BACKFILL_GROUP)
        limit, meter = min(_BATCH_RECORDS, policy.batch), PrometheusMeter(BACKFILL_GROUP)
        await consume(consumer, handler, rejecting, clock, pace=Pacing(limit, stands=True), meter=meter)

    return {"events": events, "backfill": backfill}


def _claiming(settings: IdentitySettings, on: Ground, rules: Rules, claims: Claims) -> dict[str, Loop]:
    """A lane that stands still does not hold up the claims of the other."""

    def loop(passage: Passage, meter: str) -> Loop:
        hop = Hop(passage, on.bus.log, on.bus.producer, on.clock, claims, PrometheusMeter(meter))

        async def claim() -> None:
            interval_s = _interval_s(settings, passage.lane)
            await claim_source(hop, interval_s=interval_s, holdoff_s=_holdoff_s(settings, rules))

        return claim

    return {
        "claims": claims.follow,
        "progress": loop(LIVE_PASSAGE, SERVICE),
        "progress-backfill": loop(BACKFILL_PASSAGE, BACKFILL_GROUP),
    }


def _graph_work(on: Ground, desk: Desk) -> Loop:
    work = GraphWork(Chores(desk), Deferred(desk), on.pool, on.bus.producer, on.clock)

    async def graph() -> None:
        await tell_of_newer(desk)
        await work.run()

    return graph


def _virtual_clock(settings: IdentitySettings, claims: Claims) -> list[APIRouter]:
    """Identity has no timers: whoever moves the clock waits for what it claims, in both lanes."""
    return [claimed_clock_router(claims, SERVICE)] if settings.clock_file else []


if __name__ == "__main__":
    lifecycle.start(SERVICE, IdentitySettings, serve, crew, in_hand=_OBJECTS_IN_HAND)
