"""Takes letters from the outbox to Kafka: claim, send, delete. Knows neither rules nor customers.

Whoever fires or revokes publishes at once after its own commit; the relay only sweeps up what was left behind. A letter
that the broker will never take is taken out and set aside, so that it stops no other letter and no consumer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import timedelta

from tern_common import failpoints
from tern_common.bus import SEND_TIMEOUT_S, Headers, Message, Producer, Record
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
_WORTH_TRYING_S = 1.0
_SERVICE = "triggers"
_NO_PARTITION = -1
_PLAIN = "application/json"


class _Round:
    """What became of letters that go at the same time. `deadline`: of the monotonic clock. `sent`: who is acknowledged
    and not noted yet."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.noting = asyncio.Lock()
        self.sent: list[Claimed] = []
        self.failed: list[tuple[Claimed, Transient]] = []
        self.unusable: list[tuple[Claimed, Unusable]] = []


class Publisher:
    """Publishes in the outbox's order, at least once, each letter with its one id, and none at another's expense."""

    def __init__(self, pool: Pool, producer: Producer, clock: Clock, writing: Writing) -> None:
        self._pool = pool
        self._producer = producer
        self._clock = clock
        self._writing = writing
        self._rejecting = Rejecting(producer, _SERVICE, clock)
        self._policy = writing.policy.outbox
        self._one_by_one = asyncio.Lock()
        self._sent = 0

    async def publish(self) -> int:
        """One round; returns how many letters left the outbox. Raises `Transient` if nothing gets through."""
        claimed = await self._claim()
        if claimed:
            failpoints.reached("triggers.claimed")
        return await self._send_all(claimed)

    async def publish_these(self, claimed: Sequence[Claimed]) -> bool:
        """Publishes letters that this process has leased by writing them; whether anything gets through. What does not
        is left to the relay."""
        return await self._tried(self._send_all(claimed))

    async def hold_back(self, claimed: Sequence[Claimed]) -> None:
        """Gives letters back that this process has leased: the relay asks about them again. Raises `Transient`."""
        await self._give_back(claimed, None)

    async def _send_all(self, claimed: Sequence[Claimed]) -> int:
        """Returns how many left the outbox. Raises `Transient` if no letter of this process got through meanwhile.

        Each goes by a send of its own, for which the bus makes no more requests: so one that is not taken is the only
        one that is sent again. They are of different triggers, so none has to wait for another.
        """
        if not claimed:
            return 0
        sent_before, tried = self._sent, _Round(self._clock.monotonic() + SEND_TIMEOUT_S)
        ended = await asyncio.gather(*(self._send(one, tried) for one in claimed), return_exceptions=True)
        others_go = self._sent > sent_before
        await self._settle(tried, rests=others_go or len(claimed) >= self._policy.batch)
        unheard = [] if others_go else [wrong for _, wrong in tried.failed]
        for error in filter(None, (*ended, *unheard)):
            raise error
        return len(claimed) - len(tried.failed)

    async def _send(self, one: Claimed, tried: _Round) -> None:
        try:
            await self._deliver(_message(one.letter), tried.deadline)
        except Transient as wrong:
            tried.failed.append((one, wrong))
        except Unusable as wrong:
            tried.unusable.append((one, wrong))
        else:
            await self._note_sent(one, tried)

    async def _deliver(self, message: Message, deadline: float) -> None:
        """What is refused while there is time is tried once more, with no other refused one beside it: a broker that
        refuses a batch does not say for whose sake. Raises `Transient`, and `Unusable`."""
        try:
            await self._producer.send([message])
        except Transient:
            async with self._one_by_one:
                left_s = deadline - self._clock.monotonic()
                if left_s < _WORTH_TRYING_S:
                    raise
                await self._producer.send([message], left_s)

    async def _note_sent(self, one: Claimed, tried: _Round) -> None:
        """Takes it out of the outbox, with all that are acknowledged by then: none waits for those that are not."""
        self._sent += 1
        tried.sent.append(one)
        async with tried.noting:
            noted, tried.sent = tried.sent, []
            if not noted:
                return
            failpoints.reached("triggers.sent")
            async with connection(self._pool) as conn:
                await outbox.delivered(conn, [other.seq for other in noted])
        for other in noted:
            meters.PUBLISHED.labels(other.letter.type).inc()

    async def _settle(self, tried: _Round, *, rests: bool) -> None:
        """Gives back what was not taken, and sets aside what never will be. While others go, what was not taken rests,
        and is in nobody's way; so does a whole batch, behind which others may wait."""
        if tried.failed:
            logger.warning("letters were not taken", letters=len(tried.failed), why=str(tried.failed[0][1]), rest=rests)
            await self._give_back([one for one, _ in tried.failed], self._policy.lease if rests else None)
        for one, wrong in tried.unusable:
            await self._set_aside(one, wrong.reason)

    async def _give_back(self, claimed: Sequence[Claimed], rest: timedelta | None) -> None:
        async with transaction(self._pool) as conn:
            await outbox.failed(conn, [one.seq for one in claimed], self._clock.now(), rest)

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
            await outbox.shorten_leases(conn, self._policy.lease)
            rows, age_s = await outbox.waiting(conn)
        meters.OUTBOX_ROWS.set(rows)
        meters.OUTBOX_AGE.set(age_s)

    async def _claim(self) -> list[Claimed]:
        """What was held back is asked about again first: it goes only if it would still be said now."""
        policy, now = self._policy, self._clock.now()
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
