"""The Kafka edge: events in, resolved events out. Knows the wire; leaves what it means to the domain and the store."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import get_args

from tern_common import catalog, failpoints, outbox
from tern_common.bus import Message, Producer, Record
from tern_common.consume import Batch, Rest
from tern_common.db import Pool
from tern_common.errors import Poison, Transient
from tern_common.events import Event, Mode, decode_event
from tern_common.identifiers import Identifier
from tern_common.lanes import BACKFILL, LIVE
from tern_common.progress import Passage
from tern_common.topics import CATALOG, EVENTS, EVENTS_BACKFILL, RESOLVED, RESOLVED_BACKFILL
from tern_identity.domain.collapsing import Heard
from tern_identity.domain.reading import reader
from tern_identity.store import Filed, Misread, Store

SERVICE = "identity"
GROUP = "identity"
BACKFILL_GROUP = "identity-backfill"

LIVE_PASSAGE = Passage(SERVICE, LIVE, {EVENTS: GROUP}, (RESOLVED,))
# History may tell that two are one: that membership change concerns everybody and goes to the live topic, by the outbox
# that both loops drain before they commit (C1). So what follows from a backfilled event lies on two topics, and a claim
# that named one of them would let recall decide about half a customer.
BACKFILL_PASSAGE = Passage(SERVICE, BACKFILL, {EVENTS_BACKFILL: BACKFILL_GROUP}, (RESOLVED_BACKFILL, RESOLVED))
READINGS = 5
"""How often a batch is read before it waits for calmer times."""

_SCHEMA = ("schema", b"resolved")
_MODES = {mode: ("mode", mode.encode()) for mode in get_args(Mode)}
_AS_IT_CAME = ("schema", b"event")


class Arrived(Heard, frozen=True, gc=False):
    """An event as it came. `value` is passed on as it is."""

    mode: Mode
    value: bytes


class EventHandler:
    """Files events and publishes each with its home and membership on `output`, every time it comes: a copy may be the
    first that gets through."""

    def __init__(self, store: Store, pool: Pool, producer: Producer, output: str = RESOLVED) -> None:
        self._store = store
        self._pool = pool
        self._producer = producer
        self._output = output
        self._reader = reader(store.rules.known)

    def decode(self, record: Record) -> Arrived | Message:
        """An event of a person, or one of a product as it is passed on. Raises `Poison`."""
        event = decode_event(record.value)
        _require_storable(event)
        if catalog.is_product_event(event):
            return passed_on(event, record.value)
        return self._hear(event, record.value)

    async def apply(self, batch: Batch[Arrived | Message]) -> Rest:
        """One transaction. The rest publishes these events in their order and all that waits in the outbox, whoever
        wrote it: what this batch decided stands there before its rest begins."""
        arrived = [item for item in batch.items if isinstance(item, Arrived)]
        passed = [item for item in batch.items if isinstance(item, Message)]
        filed = await self._file(arrived) if arrived else []
        failpoints.reached("identity.filed")

        async def publish() -> None:
            if messages := [*passed, *resolved(arrived, filed, self._output)]:
                await self._producer.send(messages)
            await outbox.drain(self._pool, self._producer)
            failpoints.reached("identity.published")

        return publish

    def _hear(self, event: Event, value: bytes, without: Collection[Identifier] = ()) -> Arrived:
        known = self._store.rules.known
        if self._reader.namespaces is not known:
            self._reader = reader(known)
        reading = self._reader.read(event, without)
        return Arrived(reading, event.event_time, event.message_id, event.source_id, event.mode, value)

    async def _file(self, items: Sequence[Arrived]) -> list[Filed]:
        """Events are read again when the rules changed meanwhile, and without identifiers that were erased."""
        heard = items
        without: frozenset[Identifier] = frozenset()
        for _ in range(READINGS):
            try:
                return await self._store.file(heard)
            except Misread as wrong:
                without |= wrong.erased
                heard = [self._hear(decode_event(one.value), one.value, without) for one in items]
        raise Transient("the rules change faster than events can be read")


def resolved(arrived: Sequence[Arrived], filed: Sequence[Filed], output: str) -> Iterator[Message]:
    """Each event with where it is filed and whose that is, in order; its own bytes are spliced in, not written anew."""
    heads = {home_id: _head(one) for home_id, one in {one.home_id: one for one in filed}.items()}
    for event, (home_id, _) in zip(arrived, filed, strict=True):
        key, head = heads[home_id]
        headers = (("message-id", event.message_id.encode()), _SCHEMA, _MODES[event.mode])
        yield tuple.__new__(Message, (output, key, b"".join((head, event.value, b"}")), headers))  # faster than its own


def _head(filed: Filed) -> tuple[bytes, bytes]:
    """The key of all events that are filed so, and what stands before each."""
    customer_id, version, shared = filed.membership
    whose = f'"customer_id":"{customer_id}","membership_version":{version}' + (',"shared":true' if shared else "")
    head = f'{{"kind":"event","home_id":"{filed.home_id}",{whose},"event":'
    return str(customer_id).encode(), head.encode()


def passed_on(event: Event, value: bytes) -> Message:
    """An event about a product: it has no person, so it is filed nowhere. Raises `Poison` when it names no product."""
    said = catalog.read(event)
    if said is None:
        raise Poison("product-id-missing")
    headers = (("message-id", event.message_id.encode()), _AS_IT_CAME, _MODES[event.mode])
    return Message(CATALOG, said.product_id.encode(), value, headers)


def _require_storable(event: Event) -> None:
    if not event.message_id or "\x00" in event.message_id or "\x00" in event.source_id:
        raise Poison("message-id-not-storable")
