"""What both services claim of both lanes, together: true, and everything is claimed in the end (triggers.md §2.4).

What follows from history lies on two topics, since the memberships it changes are told on the live one. Each claim that
leaves one of them out is shown to be wrong: something is believed that is not so, or safe time stands still.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from tern_common.lanes import LANES, UPSTREAM
from tern_common.progress import Passage
from tern_common.topics import RESOLVED, RESOLVED_BACKFILL
from tern_identity import consumer as identity
from tern_profile import consumer as profile
from unit.lanes.two_lanes import TwoLanes

SEEDS = range(60)
SHIPPED = {
    "identity": identity.LIVE_PASSAGE,
    "identity-backfill": identity.BACKFILL_PASSAGE,
    "profile": profile.LIVE_PASSAGE,
    "profile-backfill": profile.BACKFILL_PASSAGE,
}


def claiming(*outputs: str) -> dict[str, Passage]:
    """Identity names only these."""
    return {"identity-backfill": replace(identity.BACKFILL_PASSAGE, outputs=outputs)}


def waiting_for(*sources: str) -> dict[str, Passage]:
    """Profile waits only for these."""
    groups = profile.BACKFILL_PASSAGE.sources
    return {"profile-backfill": replace(profile.BACKFILL_PASSAGE, sources={topic: groups[topic] for topic in sources})}


WRONG: Mapping[str, dict[str, Passage]] = {
    "profile does not wait for the memberships": waiting_for(RESOLVED_BACKFILL),
    "profile waits for the memberships only": waiting_for(RESOLVED),
    "nobody speaks of the memberships": {**claiming(RESOLVED_BACKFILL), **waiting_for(RESOLVED_BACKFILL)},
    "everybody speaks of the memberships only": {**claiming(RESOLVED), **waiting_for(RESOLVED)},
    "identity leaves out the memberships": claiming(RESOLVED_BACKFILL),
    "identity leaves out the events": claiming(RESOLVED),
    "profile claims of no topic": {"profile-backfill": replace(profile.BACKFILL_PASSAGE, outputs=())},
}


@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_happens_nothing_is_believed_before_it_is_so_and_everything_in_the_end(seed: int) -> None:
    world = TwoLanes(tuple(SHIPPED.values()), seed)
    await world.play(patience_s=20)
    assert world.falsely_believed == []


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_claim_that_leaves_a_topic_out_is_caught(wrong: str) -> None:
    for seed in SEEDS:
        if await _is_caught({**SHIPPED, **WRONG[wrong]}, seed):
            return
    pytest.fail("nobody notices")


async def _is_caught(passages: Mapping[str, Passage], seed: int) -> bool:
    world = TwoLanes(tuple(passages.values()), seed)
    try:
        await world.play(patience_s=1)
    except ExceptionGroup as ended:
        return ended.subgroup(AssertionError) is not None  # it stands still
    return bool(world.falsely_believed)


def test_every_lane_of_every_service_that_claims_has_its_passage() -> None:
    assert {(one.service, one.lane) for one in SHIPPED.values()} == {(s, lane) for s in UPSTREAM for lane in LANES}
