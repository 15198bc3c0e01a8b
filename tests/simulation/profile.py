"""Profile in a simulation: its reading, its fold and its public record are the service's own; its tables are
dictionaries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import msgspec

from simulation.process import Process
from simulation.rules import CLASSES
from tern_common.bus import Message, Producer, Record
from tern_common.consume import Batch
from tern_common.db import Pool
from tern_common.events import encode
from tern_common.hashing import Hasher
from tern_common.headers import headers_of
from tern_common.topics import PROFILES
from tern_profile.consumer import ProfileHandler
from tern_profile.domain import consent, record
from tern_profile.domain.consent import Consent
from tern_profile.domain.fragment import Fragment, fold
from tern_profile.domain.record import Known
from tern_profile.domain.standing import Standing
from tern_profile.domain.statements import Edge, Filed, Membership, Plan, Statement, plan

HASHER = Hasher(b"k" * 32)


class ProfileTables:
    """What all instances share: events by home and message, memberships, versions of records."""

    def __init__(self) -> None:
        self.events: dict[bytes, dict[str, Filed]] = {}
        self.homes: dict[bytes, Membership] = {}
        self.edges: dict[str, Edge] = {}
        self.records: dict[str, tuple[int, bytes, bytes]] = {}

    def apply(self, said: Plan) -> list[tuple[str, bytes]]:
        """One transaction. Returns the records to publish: of all that the batch speaks of, changed or not, since what
        was published of it before may be lost (triggers.md, C2)."""
        concerned = {one.customer_id for one in said.memberships.values()}
        for home, membership in said.memberships.items():
            known = self.homes.get(home)
            concerned.add(None if known is None else known.customer_id)
            if known is None or membership.replaces(known):
                self.homes[home] = membership
            concerned.add(self.homes[home].customer_id)
        for source, edge in said.edges.items():
            concerned.add(source)
            if source not in self.edges or edge.version > self.edges[source].version:
                self.edges[source] = edge
        for (home, message_id), filed in said.filed.items():
            kept = self.events.setdefault(home, {})
            if message_id not in kept or filed.event_time < kept[message_id].event_time:
                kept[message_id] = filed
        return [self._record(customer) for customer in sorted(one for one in concerned if one is not None)]

    def _record(self, customer: str) -> tuple[str, bytes]:
        bare = record.public_record(self._known(customer), self._named(), _subject_of, CLASSES.declared)
        digest = record.digest(bare)
        version, kept, _ = self.records.get(customer, (0, b"", b""))
        version += digest != kept
        value = encode(msgspec.structs.replace(bare, profile_version=version))
        self.records[customer] = (version, digest, value)
        return customer, value

    def _known(self, customer: str) -> Known:
        homes = [home for home, one in self.homes.items() if one.customer_id == customer]
        edge = self.edges.get(customer)
        if not homes and edge is not None:
            return Known(customer, merged_into=edge.customer_id)
        whole = fold((filed.fragment for home in homes for filed in self.events.get(home, {}).values()), CLASSES)
        shared = any(self.homes[home].shared for home in homes)
        return Known(customer, whole.first_at, whole.last_at, shared, whole.standing or Standing())

    def _named(self) -> Mapping[str, Mapping[record.Topic, Consent]]:
        """What all homes together say about each contact."""
        found: dict[str, dict[record.Topic, Consent]] = {}
        for filed in (one for kept in self.events.values() for one in kept.values()):
            for text, said in _consents(filed.fragment).items():
                key = consent.key_of(text)
                mine = found.setdefault(key.subject, {})
                mine[key.purpose, key.channel] = consent.combine(mine.get((key.purpose, key.channel), Consent()), said)
        return found


def _consents(fragment: Fragment) -> Mapping[str, Consent]:
    return {} if fragment.standing is None else fragment.standing.consents


def _subject_of(namespace: str, value: str) -> str:
    return HASHER.identifier(namespace, value).hex()


class PlayedProfile:
    """`consume.Handler` of one instance."""

    def __init__(self, process: Process, tables: ProfileTables, producer: Producer) -> None:
        self._process = process
        self._tables = tables
        self._producer = producer
        self._reader = ProfileHandler(cast("Pool", None), producer, HASHER, CLASSES)

    def decode(self, found: Record) -> Statement:
        return self._reader.decode(found)

    async def apply(self, batch: Batch[Statement]) -> None:
        """One transaction; then its records are acknowledged."""
        if not batch.items:
            return
        await self._process.transaction()
        due = self._tables.apply(plan(batch.items))
        await self._process.io()
        await self._producer.send(
            [Message(PROFILES, customer.encode(), value, headers_of("profile", value)) for customer, value in due]
        )
