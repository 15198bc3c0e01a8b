"""A small world of homes and customers: what identity would publish about it, and what profile must make of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import count
from random import Random
from uuid import NAMESPACE_URL, uuid5

import msgspec
from msgspec import Raw

from tern_common.bus import SEND_TIMEOUT_S, Message, Record
from tern_common.consume import Batch
from tern_common.db import Pool
from tern_common.events import (
    Event,
    HomeVersion,
    MembershipChange,
    PublicProfile,
    Resolved,
    ResolvedEvent,
    decode_profile,
    encode,
)
from tern_common.hashing import Hasher
from tern_common.topics import PROFILES, RESOLVED
from tern_profile.consumer import ProfileHandler
from tern_profile.domain import consent
from tern_profile.domain.fragment import Fragment, fold
from tern_profile.domain.policy import Policy
from tern_profile.domain.reading import read
from tern_profile.domain.record import Known, Topic, public_record
from tern_profile.domain.standing import Standing, of_its_own
from tern_profile.store.records import TIMELESS, Moments
from unit.profile.saying import DECLARING

HASHER = Hasher(b"a key for tests only")


def subject_of(namespace: str, value: str) -> str:
    return HASHER.identifier(namespace, value).hex()


def customer(name: str) -> str:
    """A customer's id."""
    return str(uuid5(NAMESPACE_URL, name))


def home(name: str) -> str:
    """A home's id."""
    return blake2b(name.encode(), digest_size=16).hexdigest()


def record(said: Resolved) -> Record:
    return Record(RESOLVED, 0, 0, said.customer_id.encode(), encode(said))


@dataclass
class World:
    """Says what identity says, and keeps what is true in the end. Homes and customers go by plain names."""

    owner: dict[str, tuple[str, int]] = field(default_factory=dict)
    events: dict[tuple[str, str], Event] = field(default_factory=dict)
    said: list[Record] = field(default_factory=list)
    erased: set[str] = field(default_factory=set)
    _versions: count[int] = field(default_factory=lambda: count(1))

    def place(self, name: str, owner: str) -> None:
        """The home's first customer."""
        self.owner[name] = owner, next(self._versions)

    def file(self, name: str, event: Event) -> Record:
        """An event under its home, told with the membership of now."""
        known = self.events.get((name, event.message_id))
        if known is None or event.event_time < known.event_time:
            self.events[name, event.message_id] = event
        owner, version = self.owner[name]
        return self._say(
            ResolvedEvent(
                home_id=home(name),
                customer_id=customer(owner),
                membership_version=version,
                event=Raw(encode(event)),
            )
        )

    def move(self, to: str, *names: str) -> Record:
        """Homes change hands: a merge when they are all of somebody's, else a split."""
        sources = {self.owner[name][0] for name in names} - {to}
        for name in names:
            self.owner[name] = to, next(self._versions)
        homes = tuple(HomeVersion(home(name), self.owner[name][1]) for name in names)
        from_ = tuple(map(customer, sorted(sources)))
        return self._say(MembershipChange(customer_id=customer(to), homes=homes, from_=from_))

    def erase(self, token: str, *names: str) -> Record:
        """Homes are gone for good, and `token`, which they were filed under, is nobody's customer id any more.

        What is filed there afterwards is an old event that comes late, with the membership of before.
        """
        self.erased.update(names)
        homes = tuple(HomeVersion(home(name), next(self._versions)) for name in names)
        from_ = tuple(map(customer, sorted({self.owner[name][0] for name in names} - {token})))
        return self._say(
            MembershipChange(customer_id=customer(token), homes=homes, from_=from_, shared=True, erased=True)
        )

    def door(self, namespace: str, value: str, owner: str) -> Record:
        """The home without events that answers whose an identifier is."""
        doors = (HomeVersion(HASHER.door(namespace, value), next(self._versions)),)
        return self._say(MembershipChange(customer_id=customer(owner), doors=doors))

    def erase_door(self, namespace: str, value: str) -> Record:
        """The identifier is gone, and whoever asks for it is told of nobody."""
        doors = (HomeVersion(HASHER.door(namespace, value), next(self._versions)),)
        gone = MembershipChange(customer_id=customer(value), doors=doors, shared=True, erased=True)
        return self._say(gone)

    def _say(self, said: Resolved) -> Record:
        self.said.append(record(said))
        return self.said[-1]

    def fragments(self) -> dict[str, Fragment]:
        """Home → the fold of its events."""
        found: dict[str, list[Fragment]] = {name: [] for name in self.owner}
        for (name, _), event in self.events.items():
            found[name].append(read(event, subject_of, DECLARING))
        return {name: fold(parts, DECLARING) for name, parts in found.items()}

    def expected(self) -> dict[str, PublicProfile]:
        """Customer id → the public record, without version, of everybody who has homes with events."""
        named = _named(self.fragments().items(), self.erased)
        known = {one: _known(one, folded) for one, folded in self.folded().items() if folded.first_at is not None}
        return {one: public_record(what, named, subject_of, DECLARING.declared) for one, what in known.items()}

    def kept(self) -> dict[str, Fragment]:
        """The same as it is kept with homes."""
        return {
            one: msgspec.structs.replace(folded, standing=of_its_own(folded.standing or Standing()))
            for one, folded in self.folded().items()
        }

    def said_of_contacts(self) -> dict[tuple[str, str], consent.Consent]:
        """(home id, key) → what is said there of a contact; of an erased home, what it withdrew."""
        found: dict[tuple[str, str], consent.Consent] = {}
        for name, fragment in self.fragments().items():
            for text, said in (fragment.standing or Standing()).consents.items():
                counts = consent.Consent(withdrawn_at=said.withdrawn_at) if name in self.erased else said
                if consent.key_of(text).subject != consent.OWN and counts != consent.Consent():
                    found[home(name), text] = counts
        return found

    def folded(self) -> dict[str, Fragment]:
        """Customer id → the fold of all homes."""
        fragments = self.fragments()
        owned: dict[str, list[Fragment]] = {}
        for name, (owner, _) in self.owner.items():
            if name in self.erased:
                continue
            owned.setdefault(customer(owner), []).append(fragments[name])
        return {one: fold(parts, DECLARING) for one, parts in owned.items()}


def _known(customer_id: str, folded: Fragment) -> Known:
    standing = folded.standing or Standing()
    return Known(customer_id, folded.first_at, folded.last_at, standing=standing, rhythm=folded.rhythm)


def _named(
    fragments: Iterable[tuple[str, Fragment]], erased: Collection[str]
) -> dict[str, dict[Topic, consent.Consent]]:
    """Of what was said in an erased home only the withdrawals count."""
    found: dict[str, dict[Topic, consent.Consent]] = {}
    for name, fragment in fragments:
        for text, said in (fragment.standing or Standing()).consents.items():
            key = consent.key_of(text)
            counts = consent.Consent(withdrawn_at=said.withdrawn_at) if name in erased else said
            topics = found.setdefault(key.subject, {})
            topic = key.purpose, key.channel
            topics[topic] = consent.combine(topics.get(topic, consent.Consent()), counts)
    return found


class Wire:
    """A producer that keeps what was sent, in order."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    async def send(self, messages: Sequence[Message], timeout_s: float = SEND_TIMEOUT_S) -> None:  # noqa: ARG002 - never waits
        assert {message.topic for message in messages} <= {PROFILES}, "nothing goes anywhere else"
        self.sent += messages

    @property
    def published(self) -> list[PublicProfile]:
        return [decode_profile(message.value) for message in self.sent]

    def newest(self) -> dict[str, PublicProfile]:
        """What a reader of the compacted topic keeps: the highest version of each customer."""
        return {one.customer_id: one for one in sorted(self.published, key=lambda one: one.profile_version)}


class Worker:
    """One instance of the service, without its loop."""

    def __init__(
        self,
        pool: Pool,
        wire: Wire | None = None,
        epoch: int = 0,
        moments: Moments = TIMELESS,
        policy: Policy = DECLARING,
    ) -> None:
        self.wire = wire or Wire()
        self._handler = ProfileHandler(pool, self.wire, HASHER, policy, epoch, moments)

    async def wake(self) -> list[PublicProfile]:
        """Looks at all whose moment has passed; returns what was published."""
        before = len(self.wire.sent)
        await self._handler.notice_declarations()
        while await self._handler.wake():
            pass
        return self.wire.published[before:]

    async def deliver(self, records: Sequence[Record]) -> list[PublicProfile]:
        """One batch; returns what has been published since, by anyone on the same wire."""
        before = len(self.wire.sent)
        await self._handler.apply(Batch([self._handler.decode(one) for one in records], {}))
        return self.wire.published[before:]


def speaking(records: dict[str, PublicProfile]) -> dict[str, PublicProfile]:
    """Without versions, and without those who were absorbed or lost all their events."""
    bare = {one.customer_id: msgspec.structs.replace(one, profile_version=0) for one in records.values()}
    return {customer_id: one for customer_id, one in bare.items() if one.first_seen_day is not None}


def batches(records: Sequence[Record], random: Random) -> list[Sequence[Record]]:
    """Cuts a stream into batches of one to nine."""
    cuts, place = [], 0
    while place < len(records):
        size = random.randint(1, 9)
        cuts.append(records[place : place + size])
        place += size
    return cuts
