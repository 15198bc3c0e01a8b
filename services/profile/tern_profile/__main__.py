"""The profile process: consume, pass safe time on, answer. The only place that builds its parts."""

from __future__ import annotations

from fastapi import APIRouter

from tern_common import lifecycle, topics
from tern_common.consume import consume
from tern_common.db import Pool
from tern_common.fetching import Pacing
from tern_common.giving_way import GivingWay
from tern_common.ground import Ground, ground
from tern_common.hashing import Hasher
from tern_common.http import clock_router, create_app, policy_router
from tern_common.http.doors import Standing
from tern_common.lanes import LIVE, NOTHING_YET, UPSTREAM, BackfillPolicy
from tern_common.lifecycle import Loop
from tern_common.meters import PrometheusMeter
from tern_common.policy import load_policy
from tern_common.progress import Claims, Hop, Passage, claim_relay
from tern_common.rejecting import Rejecting
from tern_common.settings import crew
from tern_common.shipped import shipped
from tern_profile.app import SUMMARY, Profiles, profile_router
from tern_profile.consumer import BACKFILL_GROUP, BACKFILL_PASSAGE, GROUP, LIVE_PASSAGE, SERVICE, ProfileHandler
from tern_profile.domain.policy import Policy
from tern_profile.settings import ProfileSettings
from tern_profile.store import timers
from tern_profile.timing import Present, waking

_TOPICS = (topics.RESOLVED, topics.RESOLVED_BACKFILL, topics.PROFILES, topics.PROGRESS, topics.REJECTED)
_BEFORE = "identity"
_BATCH_RECORDS = 2_000
"""At most so many in one transaction."""
_LINGER_S = 0.2
"""Nobody waits for a profile by the millisecond: what a decision at once needs goes past this service."""
_LOOKS_PER_INTERVAL = 5


async def serve(settings: ProfileSettings) -> None:
    """Runs until it is told to stop."""
    policy = load_policy(settings.policy_file or shipped("tern_profile", "policy.yaml"), Policy)
    hasher = Hasher(settings.hash_key.get_secret_value().encode())
    async with ground(SERVICE, settings, _TOPICS) as on:
        claims = Claims(on.bus, on.clock)
        present = Present(on.clock, claims, policy.grace)
        app = create_app(
            service=SERVICE,
            summary=SUMMARY,
            probes=on.probes,
            routers=[
                profile_router(Profiles(on.pool, hasher, policy)),
                policy_router(policy),
                *_virtual_clock(settings, on.pool, present),
            ],
            tokens=on.tokens,
            clock=on.clock,
        )
        handler = ProfileHandler(on.pool, on.bus.producer, hasher, policy, settings.version_epoch, present)
        loops = {**_reading(on, handler, policy.backfill, claims), **_claiming(settings, on, claims)}
        loops["timers"] = waking(handler.notice_declarations, handler.wake, claims)
        await lifecycle.run(app, settings.http_address, loops, clock=on.clock)


def _reading(on: Ground, handler: ProfileHandler, policy: BackfillPolicy, claims: Claims) -> dict[str, Loop]:
    """The consumers of both lanes: like two instances of the service, which share their customers by locks."""
    bus, clock = on.bus, on.clock
    rejecting = Rejecting(bus.producer, SERVICE, clock)

    async def events() -> None:
        consumer = await bus.subscribe(GROUP, [topics.RESOLVED])
        meter = PrometheusMeter(SERVICE)
        await consume(consumer, handler, rejecting, clock, pace=Pacing(_BATCH_RECORDS, _LINGER_S), meter=meter)

    async def backfill() -> None:
        joined = await bus.subscribe(BACKFILL_GROUP, [topics.RESOLVED_BACKFILL], unhurried=True)
        consumer = GivingWay(joined, lambda: claims.proved(UPSTREAM, LIVE), clock, policy, BACKFILL_GROUP)
        limit, meter = min(_BATCH_RECORDS, policy.batch), PrometheusMeter(BACKFILL_GROUP)
        await consume(consumer, handler, rejecting, clock, pace=Pacing(limit, stands=True), meter=meter)

    return {"events": events, "backfill": backfill}


def _claiming(settings: ProfileSettings, on: Ground, claims: Claims) -> dict[str, Loop]:
    """A lane that stands still does not hold up the claims of the other."""

    def loop(passage: Passage, meter: str) -> Loop:
        hop = Hop(passage, on.bus.log, on.bus.producer, on.clock, claims, PrometheusMeter(meter))

        async def claim() -> None:
            poll_s = settings.progress_interval_ms / 1000 / _LOOKS_PER_INTERVAL
            await claim_relay(hop, upstream=_BEFORE, poll_s=poll_s)

        return claim

    return {
        "claims": claims.follow,
        "progress": loop(LIVE_PASSAGE, SERVICE),
        "progress-backfill": loop(BACKFILL_PASSAGE, BACKFILL_GROUP),
    }


def _virtual_clock(settings: ProfileSettings, pool: Pool, present: Present) -> list[APIRouter]:
    """Timers are read before safe time: who is woken in between is seen at the second look."""

    async def standing() -> Standing:
        due = await timers.next_at(pool)
        return Standing(next=due and due + present.grace, safe_time=present.safe_time() or NOTHING_YET)

    return [clock_router(standing)] if settings.clock_file else []


if __name__ == "__main__":
    lifecycle.start(SERVICE, ProfileSettings, serve, crew)
