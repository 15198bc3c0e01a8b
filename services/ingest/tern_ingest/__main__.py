"""The ingest process: settings in, HTTP server up. The only place that builds its parts."""

from __future__ import annotations

import ctypes
import sys

from fastapi import APIRouter

from tern_common import lifecycle, topics
from tern_common.ground import ground
from tern_common.http import Standing, clock_router
from tern_common.http.tailing import Tails
from tern_common.policy import load_policy
from tern_common.sealing import Sealer
from tern_common.settings import crew
from tern_common.shipped import shipped
from tern_ingest.app import PATHS, build, tracking
from tern_ingest.bodies import Bodies
from tern_ingest.callers import Callers
from tern_ingest.dead_letters import DeadLetters
from tern_ingest.domain.addresses import networks
from tern_ingest.domain.policy import Policy
from tern_ingest.domain.tallies import Tallies
from tern_ingest.domain.taxonomy import Taxonomy, Vocabulary
from tern_ingest.front import Front
from tern_ingest.gate import Gate
from tern_ingest.keyring import Keyring
from tern_ingest.outgoing import SERVICE
from tern_ingest.quality import Quality
from tern_ingest.quality_store import QualityStore
from tern_ingest.rejected import rejected_router
from tern_ingest.reporting import quality_router
from tern_ingest.settings import IngestSettings
from tern_ingest.store import Store
from tern_ingest.tailing import tail_router
from tern_ingest.tracking import Door

_TOPICS = (topics.EVENTS, topics.EVENTS_BACKFILL, topics.REJECTED)

_TURN_S = 0.0005
_M_MMAP_THRESHOLD, _MMAP_BYTES = -3, 1024 * 1024
_M_TRIM_THRESHOLD, _TRIM_BYTES = -1, 8 * 1024 * 1024
"""glibc's names for them (malloc.h)"""


async def serve(settings: IngestSettings) -> None:
    """Runs until it is told to stop."""
    _bear_long_bodies()
    policy = load_policy(settings.policy_file or shipped("tern_ingest", "policy.yaml"), Policy)
    vocabulary = Vocabulary(load_policy(shipped("tern_ingest", "taxonomy.yaml"), Taxonomy))
    sealer = Sealer.parse(settings.sealing_keys.get_secret_value())
    async with ground(SERVICE, settings, _TOPICS) as on:
        store = Store(on.pool, sealer)
        keyring = Keyring(store.write_keys, on.clock, policy)
        tallies, counted = Tallies(policy.counting), QualityStore(on.pool)
        quality = Quality(tallies, vocabulary, counted, on.clock, policy.counting)
        gate, callers = Gate(keyring, on.clock, policy, tallies), Callers(networks(settings.trusted_proxies))
        door = Door(keyring, on.bus.producer, on.clock, Bodies(policy), policy, gate, callers, tallies=tallies)
        rejected = rejected_router(DeadLetters(on.bus, on.clock), door, PATHS)
        tails = Tails(on.bus, on.clock)
        tail = tail_router(tails, store.sources)
        extra = [quality_router(counted, vocabulary, on.clock), rejected, tail, *_virtual_clock(settings)]
        app = build(door, store, on.tokens, on.probes, extra)
        loops = {"write-keys": keyring.follow, "quality": quality.follow}
        front = Front(app, tracking(door), on.clock)
        await lifecycle.run(front, settings.http_address, loops, stop=tails.stopping, clock=on.clock)


def _bear_long_bodies() -> None:
    """What a thread does with a long body holds up the loop for half a millisecond instead of five, and the memory of
    one goes back to the system: glibc would keep as much as the largest ever took, in each thread."""
    sys.setswitchinterval(_TURN_S)
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)
        libc.mallopt(_M_TRIM_THRESHOLD, _TRIM_BYTES)


def _virtual_clock(settings: IngestSettings) -> list[APIRouter]:
    """Ingest has no timers, and knows everything at once: nothing to wait for when the clock is moved."""

    async def standing() -> Standing:
        return Standing(next=None, safe_time=None)

    return [clock_router(standing)] if settings.clock_file else []


if __name__ == "__main__":
    lifecycle.start(SERVICE, IngestSettings, serve, crew)
