"""The profile process: consume, pass safe time on, answer. The only place that builds its parts."""

from __future__ import annotations

from fastapi import APIRouter

from tern_common import lifecycle, topics
from tern_common.bus import Bus
from tern_common.clock import Clock
from tern_common.consume import consume
from tern_common.ground import ground
from tern_common.hashing import Hasher
from tern_common.http import claimed_clock_router, create_app, policy_router
from tern_common.lifecycle import Loop
from tern_common.meters import PrometheusMeter
from tern_common.policy import load_policy
from tern_common.progress import Claims, Hop, claim_relay
from tern_common.rejecting import Rejecting
from tern_common.shipped import shipped
from tern_profile.app import SUMMARY, Profiles, profile_router
from tern_profile.consumer import GROUP, ProfileHandler
from tern_profile.domain.policy import Policy
from tern_profile.settings import ProfileSettings

SERVICE = "profile"
UPSTREAM = "identity"
LANE = "live"

_TOPICS = (topics.RESOLVED, topics.PROFILES, topics.PROGRESS, topics.REJECTED)
_LOOKS_PER_INTERVAL = 5


async def serve(settings: ProfileSettings) -> None:
    """Runs until it is told to stop."""
    policy = load_policy(settings.policy_file or shipped("tern_profile", "policy.yaml"), Policy)
    hasher = Hasher(settings.hash_key.get_secret_value().encode())
    async with ground(SERVICE, settings, _TOPICS) as on:
        claims = Claims(on.bus)
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
        loops = _loops(settings, on.bus, on.clock, claims, handler)
        await lifecycle.run(app, settings.http_address, loops, clock=on.clock)


def _loops(
    settings: ProfileSettings, bus: Bus, clock: Clock, claims: Claims, handler: ProfileHandler
) -> dict[str, Loop]:
    meter = PrometheusMeter(SERVICE)

    async def events() -> None:
        consumer = await bus.subscribe(GROUP, [topics.RESOLVED])
        rejecting = Rejecting(bus.producer, SERVICE)
        await consume(consumer, handler, rejecting, clock, limit=settings.batch_records, meter=meter)

    async def progress() -> None:
        hop = Hop(
            log=bus.log,
            producer=bus.producer,
            clock=clock,
            group=GROUP,
            source_topic=topics.RESOLVED,
            output_topic=topics.PROFILES,
            service=SERVICE,
            lane=LANE,
            meter=meter,
        )
        poll_s = settings.progress_interval_ms / 1000 / _LOOKS_PER_INTERVAL
        await claim_relay(hop, claims, upstream=UPSTREAM, poll_s=poll_s)

    return {"events": events, "claims": claims.follow, "progress": progress}


def _virtual_clock(settings: ProfileSettings, claims: Claims) -> list[APIRouter]:
    """Profiles have no timers yet."""
    return [claimed_clock_router(claims, SERVICE, LANE)] if settings.clock_file else []


if __name__ == "__main__":
    lifecycle.start(SERVICE, ProfileSettings, serve)
