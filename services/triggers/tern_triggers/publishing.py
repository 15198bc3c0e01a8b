"""Takes letters from the outbox to Kafka: claim, send, delete. Knows neither rules nor customers.

Whoever fires or revokes publishes at once after its own commit; the relay only sweeps up what was left behind. A letter
that the broker will never take is taken out and set aside, so that it stops no other letter and no consumer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from tern_common import failpoints
from tern_common.bus import Headers, Message, Producer, Record
from tern_common.clock import Clock
from tern_common.db import Pool, connection, transaction
from tern_common.errors import Transient, Unusable
from tern_common.logs import logger
from tern_common.rejecting import Rejecting
from tern_common.topics import STOCK
from tern_triggers import meters
from tern_triggers.domain.contract import CONTENT_TYPE, FIRED
from tern_triggers.store import held_back, outbox, positions, revoking
from tern_triggers.store.outbox import Claimed, Letter
from tern_triggers.store.writing import Writing

_PAUSE_S = 0.5
_SERVICE = "triggers"
_NO_PARTITION = -1
_PLAIN = "application/json"


class Publisher:
    """Publishes in the outbox's order, at least once, each letter with its one id."""

    def __init__(self, pool: Pool, producer: Producer, clock: Clock, writing: Writing) -> None:
        self._pool = pool
        self._producer = producer
        self._clock = clock
        self._writing = writing
        self._rejecting = Rejecting(producer, _SERVICE, clock)

    async def publish(self) -> int:
        """One round; returns how many letters left the outbox. Raises `Transient`: they will be sent again."""
        claimed = await self._claim()
        if claimed:
            failpoints.reached("triggers.claimed")
        await self._send_all(claimed)
        return len(claimed)

    async def publish_these(self, claimed: Sequence[Claimed]) -> bool:
        """Publishes letters that this process has leased by writing them, if that works: else the relay will."""
        return await self._tried(self._send_all(claimed))

    async def hold_back(self, claimed: Sequence[Claimed]) -> None:
        """Gives letters back that this process has leased: the relay asks about them again. Raises `Transient`."""
        async with transaction(self._pool) as conn:
            await outbox.failed(conn, [one.seq for one in claimed], self._clock.now())

    async def _send_all(self, claimed: Sequence[Claimed]) -> None:
        if not claimed:
            return
        try:
            await self._send(claimed)
        except Unusable:
            for one in claimed:
                await self._send_alone(one)

    async def _send(self, claimed: Sequence[Claimed]) -> None:
        """Raises `Transient`, having given the letters back; and `Unusable`, when one of them can never be sent."""
        try:
            await self._producer.send([_message(one.letter) for one in claimed])
        except Transient:
            await self.hold_back(claimed)
            raise
        failpoints.reached("triggers.sent")
        async with connection(self._pool) as conn:
            await outbox.delivered(conn, [one.seq for one in claimed])
        for one in claimed:
            meters.PUBLISHED.labels(one.letter.type).inc()

    async def _send_alone(self, one: Claimed) -> None:
        """The letters behind it go out when their lease has ended, should this raise `Transient`."""
        try:
            await self._send([one])
        except Unusable as wrong:
            await self._set_aside(one, wrong.reason)

    async def _set_aside(self, one: Claimed, reason: str) -> None:
        """To the rejected topic, out of the outbox; a trigger that nobody has seen is withdrawn."""
        seq, letter = one
        logger.error("letter can never be sent", reason=reason, seq=seq, trigger_id=letter.trigger_id, type=letter.type)
        meters.SET_ASIDE.labels(letter.type, reason).inc()
        message = _message(letter)
        lost = Record(letter.topic, _NO_PARTITION, seq, letter.key, letter.value, message.headers)
        try:
            await self._rejecting.reject([lost], reason)
        except Unusable as wrong:
            logger.error("nor can it be rejected", reason=wrong.reason, seq=seq, trigger_id=letter.trigger_id)
        async with transaction(self._pool) as conn:
            if letter.type == FIRED:
                await revoking.set_aside(conn, letter.trigger_id, self._clock.now())
            await outbox.delivered(conn, [seq])

    async def publish_now(self) -> bool:
        """Publishes what was just committed, if that works: else the relay will."""
        return await self._tried(self.publish())

    async def _tried(self, publication: Awaitable[object]) -> bool:
        try:
            await publication
        except Transient as wrong:
            logger.warning("left to the relay", why=str(wrong))
            return False
        return True

    async def relay(self) -> None:
        """Endless: publishes what others left behind. Raises `Transient`."""
        while True:
            while await self.publish():
                pass
            await self._look_after()
            await self._clock.sleep(_PAUSE_S)

    async def _look_after(self) -> None:
        async with connection(self._pool) as conn:
            await outbox.shorten_leases(conn, self._writing.policy.outbox.lease)
            rows, age_s = await outbox.waiting(conn)
        meters.OUTBOX_ROWS.set(rows)
        meters.OUTBOX_AGE.set(age_s)

    async def _claim(self) -> list[Claimed]:
        """What was held back is asked about again first: it goes only if it would still be said now."""
        policy, now = self._writing.policy.outbox, self._clock.now()
        async with transaction(self._pool) as conn:
            safe = await positions.safe(conn)
            await outbox.stamp_stale(conn, now, policy.recheck_after)
            found = await outbox.held_back(conn, safe, now, policy.batch)
            if not found:
                return await outbox.claim(conn, [], policy)
        async with transaction(self._pool) as conn:
            asked = await held_back.ask_again(conn, self._writing, found, now)
            claimed = await outbox.claim(conn, asked.cleared, policy)
        for why, count in asked.gone.items():
            logger.warning("letters were held back until they might not go any more", why=str(why), letters=count)
        return claimed


def _message(letter: Letter) -> Message:
    content_type = _PLAIN if letter.topic == STOCK else CONTENT_TYPE
    headers: Headers = (
        ("content-type", content_type.encode()),
        ("message-id", letter.message_id.encode()),
        ("schema", letter.type.encode()),
        ("mode", b"live"),
    )
    return Message(letter.topic, letter.key, letter.value, headers)
