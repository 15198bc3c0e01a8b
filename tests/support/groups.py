"""Who reads what in a consumer group, as its coordinator says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment

from tern_common.bus import Place

Hand = frozenset[Place]
"""What one member reads."""
Ask = Callable[[str], Awaitable[list[Hand]]]
_STABLE = "Stable"


@asynccontextmanager
async def coordinators(bootstrap: str) -> AsyncIterator[Ask]:
    """Yields what asks about a group: the hand of each member; nothing while it has none, or they are being dealt."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()

    async def hands(group: str) -> list[Hand]:
        (answer,) = await admin.describe_consumer_groups([group])
        _, _, state, _, _, members, *_ = answer.groups[0]
        return [_hand(member[-1]) for member in members] if state == _STABLE else []

    try:
        yield hands
    finally:
        await admin.close()


def _hand(assignment: bytes) -> Hand:
    dealt = ConsumerProtocolMemberAssignment.decode(assignment)
    return frozenset(Place(at.topic, at.partition) for at in dealt.partitions())
