"""Makes public records anew: lock the customers, look again, fold their homes, keep what differs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

import msgspec

from tern_common.db import Connection
from tern_common.events import encode
from tern_profile.domain import record, standing
from tern_profile.domain.fragment import decode_standing
from tern_profile.domain.policy import Policy
from tern_profile.domain.reading import SubjectOf
from tern_profile.domain.record import Known
from tern_profile.domain.standing import Standing
from tern_profile.store import consents, profiles
from tern_profile.store.profiles import Made, Source, Stored

EPOCH_STEP = 1 << 40


class Basis(NamedTuple):
    """What records are made with. `epoch` is raised by hand after a restore: versions drawn since the backup are known
    to readers, and must be passed at once."""

    subject_of: SubjectOf
    policy: Policy
    epoch: int = 0


class NotCovered(Exception):
    """A membership moved before its customer was locked: roll back and repeat with these as well."""

    def __init__(self, customers: set[str]) -> None:
        super().__init__()
        self.customers = customers


async def make(
    conn: Connection,
    customers: Collection[str],
    spoken: Collection[bytes],
    departed: Mapping[str, str],
    basis: Basis,
) -> dict[str, Made]:
    """Customer → record, of those whose record differs from the stored one; kept under the next version.

    `spoken`: subjects whose consent this transaction changed. `departed`: where homes of a customer went. Raises
    `NotCovered`.
    """
    if not customers:
        return {}
    await profiles.lock(conn, customers)
    if missing := await consents.owners(conn, spoken) - set(customers):
        raise NotCovered(missing)
    stored = await profiles.stored(conn, customers)
    known = await _known(conn, customers, departed, basis.policy)
    subjects = {subject for one in known for subject in record.subjects(one.standing, basis.subject_of).values()}
    named = await consents.read(conn, [bytes.fromhex(subject) for subject in subjects])
    made = {}
    for one in known:
        if (found := _made(one, stored[one.customer_id], named, basis)) is not None:
            made[one.customer_id] = found
    await profiles.save(conn, made)
    return made


async def _known(
    conn: Connection, customers: Collection[str], departed: Mapping[str, str], policy: Policy
) -> list[Known]:
    sources = await profiles.sources(conn, customers)
    homeless = set(customers) - sources.keys()
    survivors = await profiles.survivors(conn, homeless)
    found = [_folded(customer, source, policy) for customer, source in sources.items()]
    for customer in homeless:
        survivor = survivors[customer]
        merged_into = departed.get(customer) if survivor == customer else survivor
        found.append(Known(customer, merged_into=merged_into))
    return found


def _folded(customer: str, source: Source, policy: Policy) -> Known:
    return Known(customer, source.first_at, source.last_at, source.shared, fold_texts(source.standings, policy))


def fold_texts(standings: Iterable[str], policy: Policy) -> Standing:
    """The combination of standings as they are stored."""
    into = Standing()
    for text in standings:
        standing.absorb(into, decode_standing(text) or Standing(), policy.traits)
    return into


def _made(known: Known, stored: Stored, named: record.Named, basis: Basis) -> Made | None:
    """None when there is nothing to publish: the record is as it was, or there is nothing yet but a door."""
    if stored.digest is None and known.first_at is None and known.merged_into is None:
        return None
    bare = record.public_record(known, named, basis.subject_of)
    digest = record.digest(bare)
    if digest == stored.digest:
        return None
    version = max(stored.version, basis.epoch * EPOCH_STEP) + 1
    versioned = msgspec.structs.replace(bare, profile_version=version)
    return Made(version, digest, encode(versioned).decode())
