"""Public records onto `tern.profiles.v1`, so that the last one of each customer is the newest. Knows no SQL."""

from __future__ import annotations

from collections.abc import Sequence

from tern_common.bus import Message, Producer
from tern_common.db import Pool
from tern_common.errors import Unusable
from tern_common.headers import headers_of
from tern_common.logs import logger
from tern_common.topics import PROFILES
from tern_profile import meters
from tern_profile.store import batch
from tern_profile.store.profiles import Publication


class Publishing:
    """Publishes what batches made."""

    def __init__(self, pool: Pool, producer: Producer) -> None:
        self._pool = pool
        self._producer = producer

    async def publish(self, due: Sequence[Publication]) -> None:
        """Returns when all are acknowledged, and none of them stands behind a newer one. Raises `Transient`."""
        while due:
            await self._send(due)
            due = await batch.settle(self._pool, due)

    async def _send(self, due: Sequence[Publication]) -> None:
        """A record that no broker takes is left out: what it was made of is applied, and others must not wait."""
        try:
            await self._producer.send([_message(one) for one in due])
        except Unusable as wrong:
            if len(due) == 1:
                _leave_out(due[0], wrong.reason)
                return
            middle = len(due) // 2
            await self._send(due[:middle])
            await self._send(due[middle:])


def _leave_out(one: Publication, reason: str) -> None:
    logger.error(
        "record can never be published", reason=reason, customer_id=one.customer_id, profile_version=one.version
    )
    meters.UNPUBLISHABLE.labels(reason).inc()


def _message(one: Publication) -> Message:
    value = one.record.encode()
    return Message(PROFILES, one.customer_id.encode(), value, headers_of("profile", value))
