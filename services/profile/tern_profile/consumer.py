"""The Kafka edge: records of `tern.resolved.v1` and its backfill twin in, public records on `tern.profiles.v1` out.
Knows no SQL."""

from __future__ import annotations

from datetime import UTC
from functools import lru_cache
from uuid import UUID

import msgspec
from msgspec import Raw

from tern_common import failpoints
from tern_common.bus import Producer, Record
from tern_common.consume import Batch
from tern_common.db import Pool
from tern_common.errors import Poison
from tern_common.events import Event, MembershipChange, ResolvedEvent, decode_event, decode_resolved
from tern_common.hashing import HASH_BYTES, Hasher
from tern_common.lanes import BACKFILL, LIVE
from tern_common.progress import Passage
from tern_common.topics import PROFILES, RESOLVED, RESOLVED_BACKFILL
from tern_profile.domain.policy import Policy
from tern_profile.domain.reading import read
from tern_profile.domain.statements import FOREVER, Edge, Filed, Membership, Moved, Statement, plan
from tern_profile.publishing import Publishing
from tern_profile.store import batch, redeclaring, waking
from tern_profile.store.records import TIMELESS, Basis, Moments

SERVICE = "profile"
GROUP = "profile"
BACKFILL_GROUP = "profile-backfill"
CACHED_CUSTOMERS = 1 << 14

LIVE_PASSAGE = Passage(SERVICE, LIVE, {RESOLVED: GROUP}, (PROFILES,))
# What follows from a backfilled event comes on two topics, the membership changes on the live one. So its effect on
# profiles is complete when both groups have passed what identity claimed of their topics.
BACKFILL_PASSAGE = Passage(SERVICE, BACKFILL, {RESOLVED_BACKFILL: BACKFILL_GROUP, RESOLVED: GROUP}, (PROFILES,))


class ProfileHandler:
    """`consume.Handler` of the profile service."""

    def __init__(
        self,
        pool: Pool,
        producer: Producer,
        hasher: Hasher,
        policy: Policy,
        epoch: int = 0,
        moments: Moments = TIMELESS,
    ) -> None:
        self._pool = pool
        self._publishing = Publishing(pool, producer)
        self._hasher = hasher
        self._basis = Basis(self.subject_of, policy, epoch, moments)

    def decode(self, record: Record) -> Statement:
        """Raises `Poison`."""
        said = decode_resolved(record.value)
        if isinstance(said, MembershipChange):
            return _moved(said)
        return self._filed(said)

    async def apply(self, found: Batch[Statement]) -> None:
        """One transaction; then every public record that follows from it is acknowledged."""
        if not found.items:
            return
        due = await batch.apply(self._pool, plan(found.items), self._basis)
        failpoints.reached("profile.applied")
        await self._publishing.publish(due)
        failpoints.reached("profile.published")

    async def notice_declarations(self) -> None:
        """Where others than before are declared, everybody is due once."""
        await redeclaring.notice(self._pool, self._basis.policy.fingerprint)

    async def wake(self) -> int:
        """Looks at customers whose record may have changed although nothing happened; returns at how many."""
        woken = await waking.wake(self._pool, self._basis)
        await self._publishing.publish(woken.due)
        return woken.looked

    def subject_of(self, namespace: str, value: str) -> str:
        """The keyed hash that consent about this contact is kept under, in hex."""
        return self._hasher.identifier(namespace, value).hex()

    def _filed(self, said: ResolvedEvent) -> Filed:
        raw = _text(said.event)
        event = _checked(decode_event(said.event))
        membership = Membership(_customer(said.customer_id), said.membership_version, said.shared)
        fragment = read(event, self.subject_of, self._basis.policy)
        return Filed(_home(said.home_id), membership, event.message_id, event.event_time, raw, fragment)


def _moved(said: MembershipChange) -> Moved:
    """An erased identifier's own customer id stands for nobody from then on, whatever else is said of it."""
    named = _customer(said.customer_id)
    customer = None if said.erased else named
    homes = tuple(
        (_home(one.home_id), Membership(customer, one.version, said.shared)) for one in (*said.homes, *said.doors)
    )
    version = max((membership.version for _, membership in homes), default=0)
    edges = tuple((_customer(source), Edge(customer, version)) for source in said.from_)
    return Moved(homes, (*edges, (named, Edge(None, FOREVER))) if said.erased else edges)


def _text(raw: Raw) -> str:
    try:
        return str(raw, "utf-8")
    except UnicodeDecodeError as wrong:
        raise Poison("not-utf-8") from wrong


def _checked(event: Event) -> Event:
    """An event that can be stored: its id is text for a database, its time is UTC."""
    if "\x00" in event.message_id or event.event_time.tzinfo is None:
        raise Poison("not-a-stamped-event")
    if event.event_time.tzinfo is UTC:
        return event
    return msgspec.structs.replace(event, event_time=event.event_time.astimezone(UTC))


def _home(text: str) -> bytes:
    try:
        home = bytes.fromhex(text)
    except ValueError as wrong:
        raise Poison("not-a-home") from wrong
    if len(home) != HASH_BYTES:
        raise Poison("not-a-home")
    return home


@lru_cache(maxsize=CACHED_CUSTOMERS)
def _customer(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError as wrong:
        raise Poison("not-a-customer") from wrong
