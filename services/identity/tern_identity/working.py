"""The loop that works on the whole graph beside the events: jobs, giant groups, and what is due every day."""

from __future__ import annotations

from tern_common import outbox
from tern_common.bus import Producer
from tern_common.clock import Clock
from tern_common.db import Pool
from tern_common.logs import logger
from tern_identity.store.walks.deferring import Deferred
from tern_identity.store.walks.desk import Desk
from tern_identity.store.walks.steps import Chores

IDLE_S = 1.0
LONGEST_REST_S = 1.0


async def tell_of_newer(desk: Desk) -> None:
    """Says so when the policy that ships is newer than the rules in force: nobody applies it unasked."""
    live = await desk.rules()
    if desk.shipped.version > live.version:
        logger.warning(
            "policy.yaml is newer than the rules in force: simulate it, then apply it with `tern identity apply`",
            in_force=live.version,
            policy=desk.shipped.version,
        )


class GraphWork:
    """Chunk after chunk, with a rest as long as each took: events come first. What follows is published at once."""

    def __init__(self, chores: Chores, deferred: Deferred, pool: Pool, producer: Producer, clock: Clock) -> None:
        self._chores = chores
        self._deferred = deferred
        self._pool = pool
        self._producer = producer
        self._clock = clock

    async def run(self) -> None:
        """For ever. Raises `Transient`; nothing is lost by beginning again."""
        while True:
            begun = self._clock.monotonic()
            busy = await self.turn()
            took = self._clock.monotonic() - begun
            await self._clock.sleep(min(took, LONGEST_REST_S) if busy else IDLE_S)

    async def turn(self) -> bool:
        """One chunk, and the groups that are owed a fold. Whether there may be more to do."""
        folded = await self._deferred.step()
        done = await self._chores.step()
        if done is None:
            await self._chores.plan()
        if folded or done is None or done.changed:  # and, when there is nothing to do, what somebody left behind
            await outbox.drain(self._pool, self._producer)
        return done is not None
