"""Takes letters from the outbox to Kafka: claim, send, delete. Knows neither rules nor customers.

Whoever fires or revokes publishes at once after its own commit; the relay only sweeps up what was left behind.
"""

from __future__ import annotations

from tern_common.bus import Headers, Message, Producer
from tern_common.clock import Clock
from tern_common.db import Pool, connection, transaction
from tern_common.errors import Transient
from tern_common.logs import logger
from tern_triggers import meters
from tern_triggers.domain.contract import CONTENT_TYPE
from tern_triggers.domain.policy import OutboxPolicy
from tern_triggers.store import outbox, positions
from tern_triggers.store.outbox import Claimed, Letter

_PAUSE_S = 0.5


class Publisher:
    """Publishes in the outbox's order, at least once, each letter with its one id."""

    def __init__(self, pool: Pool, producer: Producer, clock: Clock, policy: OutboxPolicy) -> None:
        self._pool = pool
        self._producer = producer
        self._clock = clock
        self._policy = policy

    async def publish(self) -> int:
        """One round; returns how many letters were acknowledged. Raises `Transient`: they will be sent again."""
        claimed = await self._claim()
        if not claimed:
            return 0
        seqs = [one.seq for one in claimed]
        try:
            await self._producer.send([_message(one.letter) for one in claimed])
        except Transient:
            async with transaction(self._pool) as conn:
                await outbox.failed(conn, seqs, self._clock.now())
            raise
        async with transaction(self._pool) as conn:
            await outbox.delivered(conn, seqs)
        for one in claimed:
            meters.PUBLISHED.labels(one.letter.type).inc()
        return len(claimed)

    async def publish_now(self) -> None:
        """Publishes what was just committed, if that works: else the relay will."""
        try:
            await self.publish()
        except Transient as wrong:
            logger.warning("left to the relay", why=str(wrong))

    async def relay(self) -> None:
        """Endless: publishes what others left behind. Raises `Transient`."""
        while True:
            while await self.publish():
                pass
            await self._measure()
            await self._clock.sleep(_PAUSE_S)

    async def _measure(self) -> None:
        async with connection(self._pool) as conn:
            rows, age_s = await outbox.waiting(conn)
        meters.OUTBOX_ROWS.set(rows)
        meters.OUTBOX_AGE.set(age_s)

    async def _claim(self) -> list[Claimed]:
        policy = self._policy
        async with transaction(self._pool) as conn:
            safe = await positions.safe(conn)
            await outbox.stamp_stale(conn, self._clock.now(), policy.recheck_after)
            return await outbox.claim(
                conn, safe.all if safe else None, policy.batch, policy.lease, policy.recheck_after
            )


def _message(letter: Letter) -> Message:
    headers: Headers = (
        ("content-type", CONTENT_TYPE.encode()),
        ("message-id", letter.message_id.encode()),
        ("schema", letter.type.encode()),
        ("mode", b"live"),
    )
    return Message(letter.topic, letter.key, letter.value, headers)
