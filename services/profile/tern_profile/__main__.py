"""The profile process: consume, pass safe time on, answer. The only place that builds its parts."""

from __future__ import annotations

from fastapi import APIRouter

from tern_common import lifecycle, topics
from tern_common.consume import consume
from tern_common.giving_way import GivingWay
from tern_common.ground import Ground, ground
from tern_common.hashing import Hasher
from tern_common.http import claimed_clock_router, create_app, policy_router
from tern_common.lanes import LIVE, UPSTREAM, BackfillPolicy
from tern_common.lifecycle import Loop
from tern_common.meters import PrometheusMeter
from tern_common.policy import load_policy
from tern_common.progress import Claims, Hop, Passage, claim_relay
from tern_common.rejecting import Rejecting
from tern_common.shipped import shipped
from tern_profile.app import SUMMARY, Profiles, profile_router
from tern_profile.consumer import BACKFILL_GROUP, BACKFILL_PASSAGE, GROUP, LIVE_PASSAGE, SERVICE, ProfileHandler
from tern_profile.domain.policy import Policy
from tern_profile.settings import ProfileSettings

_TOPICS = (topics.RESOLVED, topics.RESOLVED_BACKFILL, topics.PROFILES, topics.PROGRESS, topics.REJECTED)
_BEFORE = "identity"
_LOOKS_PER_INTERVAL = 5


async def serve(settings: ProfileSettings) -> None:
    """Runs until it is told to stop."""
    policy = load_policy(settings.policy_file or shipped("tern_profile", "policy.yaml"), Policy)
    hasher = Hasher(settings.hash_key.get_secret_value().encode())
    async with ground(SERVICE, settings, _TOPICS) as on:
        claims = Claims(on.bus, on.clock)
        app = create_app(
            service=SERVICE,
            summary=SUMMARY,
            probes=on.probes,
            routers=[
                profile_router(Profiles(on.pool, hasher, policy)),
                policy_router(policy),
                *_virtual_clock(settings, claims),
            ],
            tokens=on.tokens,
            clock=on.clock,
        )
        handler = ProfileHandler(on.pool, on.bus.producer, hasher, policy, settings.version_epoch)
        loops = {**_reading(settings, on, handler, policy.backfill, claims), **_claiming(settings, on, claims)}
        await lifecycle.run(app, settings.http_address, loops, clock=on.clock)


def _reading(
    settings: ProfileSettings, on: Ground, handler: ProfileHandler, policy: BackfillPolicy, claims: Claims
) -> dict[str, Loop]:
    """The consumers of both lanes: like two instances of the service, which share their customers by locks."""
    bus, clock = on.bus, on.clock
    rejecting = Rejecting(bus.producer, SERVICE)

    async def events() -> None:
        consumer = await bus.subscribe(GROUP, [topics.RESOLVED])
        meter = PrometheusMeter(SERVICE)
        await consume(consumer, handler, rejecting, clock, limit=settings.batch_records, meter=meter)

    async def backfill() -> None:
        joined = await bus.subscribe(BACKFILL_GROUP, [topics.RESOLVED_BACKFILL])
        consumer = GivingWay(
            joined, lambda: claims.proved(UPSTREAM, LIVE), clock, policy.give_way_after, BACKFILL_GROUP
        )
        limit, meter = min(settings.batch_records, policy.batch), PrometheusMeter(BACKFILL_GROUP)
        await consume(consumer, handler, rejecting, clock, limit=limit, meter=meter)

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


def _virtual_clock(settings: ProfileSettings, claims: Claims) -> list[APIRouter]:
    """Profiles have no timers yet: whoever moves the clock waits for what is claimed, in both lanes."""
    return [claimed_clock_router(claims, SERVICE)] if settings.clock_file else []


if __name__ == "__main__":
    lifecycle.start(SERVICE, ProfileSettings, serve)
