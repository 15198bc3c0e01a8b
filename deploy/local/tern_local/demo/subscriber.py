"""A marketing system: a plain Kafka consumer that knows nothing of Tern but the names of its topics."""

from __future__ import annotations

import json
from typing import Any

from aiokafka import AIOKafkaConsumer

FAMILIES = ("cart", "browse", "recall", "lifecycle", "product", "service", "loyalty")
TOPICS = tuple(f"tern.triggers.{family}.v1" for family in FAMILIES)
_WAIT_MS = 200


class Subscriber:
    """Reads all of them from their start. `triggers` are all that were read, each with the topic it stood on."""

    def __init__(self, bootstrap: str) -> None:
        self._consumer = AIOKafkaConsumer(*TOPICS, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
        self.triggers: list[tuple[str, dict[str, Any]]] = []

    async def __aenter__(self) -> Subscriber:
        await self._consumer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def read(self) -> None:
        """Reads what there is by now, to the end of every topic."""
        ends = await self._consumer.end_offsets(self._consumer.assignment())
        while any([await self._consumer.position(place) < end for place, end in ends.items()]):
            for records in (await self._consumer.getmany(timeout_ms=_WAIT_MS)).values():
                self.triggers += [(record.topic, json.loads(record.value)) for record in records]
