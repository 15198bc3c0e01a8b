"""Makes public records anew: lock the customers, look again, fold their homes, keep what differs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec

from tern_common.db import Connection
from tern_common.events import encode
from tern_profile.domain import fragment, record
from tern_profile.domain.declarations import Declarations
from tern_profile.domain.fragment import Fragment
from tern_profile.domain.policy import Policy
from tern_profile.domain.reading import SubjectOf
from tern_profile.domain.record import Known
from tern_profile.domain.standing import Standing
from tern_profile.store import consents, profiles, timers
from tern_profile.store.profiles import Made, Source
from tern_profile.store.timers import Timer

EPOCH_STEP = 1 << 40


class Moments(Protocol):
    """What can be known of the time."""

    def newest_day(self) -> int:
        """The day (its proleptic ordinal) that no event of anybody can lie after, nor come to lie after while a
        transaction lasts: an event of that day is of its customer's newest day. Another number for none."""
        ...

    def passed(self) -> datetime | None:
        """Whatever happened before is known: up to here absence is certain. None: nothing is certain."""
        ...


class Timeless:
    """Where nobody knows the time: every day may be over, and nothing is certain."""

    def newest_day(self) -> int:
        return 0

    def passed(self) -> datetime | None:
        return None


TIMELESS = Timeless()


class Basis(NamedTuple):
    """What records are made with. `epoch` is raised by hand after a restore: versions drawn since the backup are known
    to readers, and must be passed at once."""

    subject_of: SubjectOf
    policy: Policy
    epoch: int = 0
    moments: Moments = TIMELESS


class Outcome(NamedTuple):
    """What came of making records. `made`: customer → record, of those whose record differs from the stored one; kept
    under the next version. `owed`: the others whose newest record nobody is known to have got acknowledged."""

    made: dict[str, Made]
    owed: set[str]


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
) -> Outcome:
    """`spoken`: subjects whose consent this transaction changed. `departed`: where homes of a customer went. Raises
    `NotCovered`.
    """
    if not customers:
        return Outcome({}, set())
    await profiles.lock(conn, customers)
    if missing := await consents.owners(conn, spoken) - set(customers):
        raise NotCovered(missing)
    sources = await profiles.sources(conn, customers)
    known = await _known(conn, sources, departed, basis)
    subjects = {subject for one in known for subject in record.subjects(one.standing, basis.subject_of).values()}
    named = await consents.read(conn, [bytes.fromhex(subject) for subject in subjects])
    made = {}
    for one in known:
        if (found := _made(one, sources[one.customer_id], named, basis)) is not None:
            made[one.customer_id] = found
    await profiles.save(conn, made)
    if basis.policy.declared.timed:
        await timers.keep(conn, {one.customer_id: _timer(one, basis.policy.declared) for one in known})
    return Outcome(made, {customer for customer, one in sources.items() if one.owed} - made.keys())


def _timer(known: Known, declared: Declarations) -> Timer | None:
    """None where nothing ever changes by absence: most customers, and all where no policy says so."""
    if record.next_change(known._replace(passed=None), declared) is None:
        return None
    return Timer(record.next_change(known, declared), known.passed)


async def _known(
    conn: Connection, sources: Mapping[str, Source], departed: Mapping[str, str], basis: Basis
) -> list[Known]:
    passed = await _passed(conn, sources, basis)
    survivors = await profiles.survivors(conn, [one for one, source in sources.items() if source.shared is None])
    found = [
        _folded(one, source, source.shared, basis.policy)._replace(passed=passed[one])
        for one, source in sources.items()
        if source.shared is not None
    ]
    for customer in survivors:
        survivor = survivors[customer]
        merged_into = departed.get(customer) if survivor == customer else survivor
        found.append(Known(customer, merged_into=merged_into))
    return found


async def _passed(conn: Connection, customers: Collection[str], basis: Basis) -> dict[str, datetime | None]:
    """Up to where absence is certain. What a record was once made knowing stays known, also to an instance that has
    not heard of it: else what had turned true would turn back."""
    now = basis.moments.passed() if basis.policy.declared.timed else None
    known = await timers.passed(conn, customers) if basis.policy.declared.timed else {}
    return {one: max((at for at in (now, known.get(one)) if at is not None), default=None) for one in customers}


def _folded(customer: str, source: Source, shared: bool, policy: Policy) -> Known:
    """Most customers have one home: its fold is his."""
    parts = [_slow(*texts) for texts in source.texts]
    folded = parts[0] if len(parts) == 1 else fragment.fold(parts, policy)
    standing = folded.standing or Standing()
    return Known(customer, source.first_at, source.last_at, shared, standing, rhythm=folded.rhythm)


def _slow(standing: str | None, rhythm: str | None) -> Fragment:
    """A stored fragment without what is never published."""
    return Fragment(rhythm=fragment.decode_rhythm(rhythm), standing=fragment.decode_standing(standing))


def _made(known: Known, stored: Source, named: record.Named, basis: Basis) -> Made | None:
    """None when there is nothing to publish: the record is as it was, or there is nothing yet but a door."""
    if stored.digest is None and known.first_at is None and known.merged_into is None:
        return None
    bare = record.public_record(known, named, basis.subject_of, basis.policy.declared)
    digest = record.digest(bare)
    if digest == stored.digest:
        return None
    version = max(stored.version, basis.epoch * EPOCH_STEP) + 1
    versioned = msgspec.structs.replace(bare, profile_version=version)
    return Made(version, digest, encode(versioned).decode())
