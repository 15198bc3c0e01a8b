"""What identity really publishes, in any order, twice and cut anyhow, ends in the same profiles and triggers (§5).

Decisions depend on what was known when (triggers.md §10): here all is known before anything falls due, so they are the
same as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random
from uuid import UUID
from zlib import crc32

import pytest

from integration.downstream.platform import Platform
from integration.downstream.telling import customers, told
from integration.profile.world import batches
from integration.triggers.shop import HOUR, NOON
from tern_common.bus import Record
from tern_common.events import MembershipChange, decode_resolved

PARTITIONS = 4
Delivery = Callable[[Sequence[Record], Random], list[Sequence[Record]]]


def in_order(records: Sequence[Record], random: Random) -> list[Sequence[Record]]:
    return batches(records, random)


def shuffled_and_doubled(records: Sequence[Record], random: Random) -> list[Sequence[Record]]:
    doubled = [*records, *random.sample(records, len(records) // 2)]
    return batches(random.sample(doubled, len(doubled)), random)


def over_partitions(records: Sequence[Record], random: Random) -> list[Sequence[Record]]:
    """Each in order, none waiting for another; and the end of each again, as after a rebalance."""
    parts: list[list[Record]] = [[] for _ in range(PARTITIONS)]
    for one in records:
        parts[crc32(one.key) % PARTITIONS].append(one)
    left = [[*part, *part[len(part) // 2 :]] for part in parts]
    found: list[Sequence[Record]] = []
    while any(left):
        part = random.choice([one for one in left if one])
        size = random.randint(1, 9)
        found.append(part[:size])
        del part[:size]
    return found


@pytest.mark.parametrize("seed", range(8))
async def test_any_delivery_of_what_identity_says_ends_in_the_same_state(platform: Platform, seed: int) -> None:
    random = Random(seed)
    records = await told(platform.graphs, random)
    ids = customers(records)
    outcomes = []
    deliveries: Sequence[Delivery] = (in_order, shuffled_and_doubled, over_partitions)
    for cut in deliveries:
        await platform.forget()
        await platform.deliver(cut(records, random))
        outcomes.append(
            (
                await platform.profile_state(ids),
                await platform.triggers_state(),
                await platform.decided(NOON + timedelta(days=4), 6 * HOUR),
            )
        )
    expected = outcomes[0]
    for found in outcomes[1:]:
        for mine, wanted in zip(found, expected, strict=True):
            assert mine == wanted


@pytest.mark.parametrize("seed", range(8))
async def test_both_keep_the_memberships_that_identity_has_and_nothing_of_what_it_erased(
    platform: Platform, seed: int
) -> None:
    random = Random(100 + seed)
    records = await told(platform.graphs, random)
    await platform.deliver(shuffled_and_doubled(records, random))
    gone, spoken_of = erased(records), homes(records)
    members = {
        home: (str(it.customer_id), it.version, it.shared)
        for home, it in (await platform.graphs.found()).members.items()
        if home in spoken_of
    }
    state = await platform.profile_state([])
    assert {home: (one.customer_id, one.version, one.shared) for home, one in state.homes.items()} == {
        **members,
        **{home: (None, state.homes[home].version, True) for home in gone},
    }
    triggers = await platform.triggers_state()
    assert {row[0]: (row[1] and str(UUID(row[1])), *row[2:]) for row in triggers.memberships if row[0] not in gone} == {
        row[0]: members[row[0]] for row in triggers.memberships if row[0] not in gone
    }
    assert {row[0] for row in triggers.memberships if row[1] is None} <= gone
    assert {row[0].hex() for row in state.events}.isdisjoint(gone)
    assert {row[0] for row in triggers.facts}.isdisjoint(gone)


def homes(records: Sequence[Record]) -> set[str]:
    """Homes and doors that identity has told of."""
    found: set[str] = set()
    for one in records:
        said = decode_resolved(one.value)
        if isinstance(said, MembershipChange):
            found.update(home.home_id for home in (*said.homes, *said.doors))
        else:
            found.add(said.home_id)
    return found


def erased(records: Sequence[Record]) -> set[str]:
    changes = [said for one in records if isinstance(said := decode_resolved(one.value), MembershipChange)]
    return {home.home_id for said in changes if said.erased for home in (*said.homes, *said.doors)}
