"""Rows of `subject`, `consent` and `contact`: what was said about a contact, and whose records depend on it.

Whoever changes a subject's consent and whoever gives a home that contact lock the same row first: the later one sees
what the earlier one wrote.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from tern_common.arrays import array
from tern_common.db import Connection
from tern_profile.domain.consent import Consent, Grant, Key
from tern_profile.domain.record import Topic

_LOCK = """
WITH locked AS (
    INSERT INTO subject (subject) SELECT said FROM unnest($1::text::bytea[]) AS said ORDER BY said
    ON CONFLICT (subject) DO UPDATE SET subject = excluded.subject WHERE false
)
INSERT INTO contact (subject, home_id) SELECT * FROM unnest($2::text::bytea[], $3::text::bytea[]) ON CONFLICT DO NOTHING
"""

_FORGET = "DELETE FROM consent WHERE home_id = ANY($1::bytea[])"

_SAY = """
INSERT INTO consent AS kept (subject, purpose, channel, home_id,
                     granted_at, granted_proof, trusted_at, trusted_proof, withdrawn_at)
SELECT * FROM unnest($1::bytea[], $2::text[], $3::text[], $4::bytea[],
                     $5::timestamptz[], $6::text[], $7::timestamptz[], $8::text[], $9::timestamptz[])
ON CONFLICT (subject, purpose, channel, home_id) DO UPDATE SET
    granted_at = greatest(kept.granted_at, excluded.granted_at),
    granted_proof = CASE WHEN excluded.granted_at > coalesce(kept.granted_at, '-infinity')
                         THEN excluded.granted_proof
                         WHEN excluded.granted_at = kept.granted_at
                         THEN greatest(kept.granted_proof, excluded.granted_proof COLLATE "C")
                         ELSE kept.granted_proof END,
    trusted_at = greatest(kept.trusted_at, excluded.trusted_at),
    trusted_proof = CASE WHEN excluded.trusted_at > coalesce(kept.trusted_at, '-infinity')
                         THEN excluded.trusted_proof
                         WHEN excluded.trusted_at = kept.trusted_at
                         THEN greatest(kept.trusted_proof, excluded.trusted_proof COLLATE "C")
                         ELSE kept.trusted_proof END,
    withdrawn_at = greatest(kept.withdrawn_at, excluded.withdrawn_at)
"""
"""What `domain.consent.combine` says of the row that is there, and the news."""

_OWNERS = """
SELECT DISTINCT customer_id::text FROM contact JOIN home USING (home_id)
WHERE subject = ANY($1::bytea[]) AND customer_id IS NOT NULL
"""

_SPOKEN_OF = "SELECT DISTINCT subject FROM consent WHERE home_id = ANY($1::bytea[])"

_SUBJECTS_OF = """
SELECT subject FROM contact WHERE home_id = ANY($1::bytea[])
UNION SELECT subject FROM consent WHERE home_id = ANY($1::bytea[])
"""

_SUPPRESS = (
    "DELETE FROM contact WHERE home_id = ANY($1::bytea[])",
    "DELETE FROM consent WHERE home_id = ANY($1::bytea[]) AND withdrawn_at IS NULL",
    """
    UPDATE consent SET granted_at = NULL, granted_proof = NULL, trusted_at = NULL, trusted_proof = NULL
    WHERE home_id = ANY($1::bytea[])
    """,
)

_WITHDRAW = """
INSERT INTO consent (subject, purpose, channel, home_id, withdrawn_at)
SELECT * FROM unnest($1::bytea[], $2::text[], $3::text[], $4::bytea[], $5::timestamptz[])
ON CONFLICT (subject, purpose, channel, home_id) DO UPDATE
SET withdrawn_at = excluded.withdrawn_at WHERE consent.withdrawn_at < excluded.withdrawn_at
"""

_DROP_UNUSED = """
DELETE FROM subject WHERE subject = ANY($1::bytea[])
AND NOT EXISTS (SELECT FROM contact WHERE contact.subject = subject.subject)
AND NOT EXISTS (SELECT FROM consent WHERE consent.subject = subject.subject)
"""

_READ = """
SELECT subject, purpose, channel, max(granted_at), max(trusted_at), max(withdrawn_at)
FROM consent WHERE subject = ANY($1::bytea[]) GROUP BY subject, purpose, channel
"""


class Link(NamedTuple):
    """A home said this contact point."""

    subject: bytes
    home: bytes


async def lock(conn: Connection, subjects: Collection[bytes], links: Collection[Link]) -> None:
    """Creates and locks, ascending, and links: nobody sees a link before the lock is given back.

    A link that has outlived its home's contact point costs a look, and harms nothing.
    """
    await conn.execute(
        _LOCK, array(subjects), array([one.subject for one in links]), array([one.home for one in links])
    )


async def forget(conn: Connection, homes: Collection[bytes]) -> None:
    """Removes what these homes said, to be said again."""
    if homes:
        await conn.execute(_FORGET, list(homes))


async def say(conn: Connection, said: Mapping[tuple[bytes, Key], Consent]) -> None:
    """Adds what is newly said in homes about named contacts, under their subjects' locks."""
    if not said:
        return
    grants, trusted = [one.granted for one in said.values()], [one.trusted for one in said.values()]
    await conn.execute(
        _SAY,
        [bytes.fromhex(key.subject) for _, key in said],
        [key.purpose for _, key in said],
        [key.channel for _, key in said],
        [home for home, _ in said],
        *_columns(grants),
        *_columns(trusted),
        [one.withdrawn_at for one in said.values()],
    )


async def subjects_of(conn: Connection, homes: Collection[bytes]) -> set[bytes]:
    """The contacts that these locked homes said, or said something about."""
    return {row[0] for row in await conn.fetch(_SUBJECTS_OF, list(homes))}


async def spoken_of(conn: Connection, homes: Collection[bytes]) -> set[bytes]:
    """The contacts that these locked homes said something about."""
    return {row[0] for row in await conn.fetch(_SPOKEN_OF, list(homes))} if homes else set()


async def suppress(conn: Connection, homes: Collection[bytes]) -> None:
    """Of erased homes nothing is left but what they withdrew. Their subjects are locked."""
    for statement in _SUPPRESS:
        await conn.execute(statement, list(homes))


async def withdraw(conn: Connection, said: Mapping[tuple[bytes, Key], Consent]) -> None:
    """Adds what erased homes withdrew: the newest counts."""
    if said:
        await conn.execute(
            _WITHDRAW,
            [bytes.fromhex(key.subject) for _, key in said],
            [key.purpose for _, key in said],
            [key.channel for _, key in said],
            [home for home, _ in said],
            [one.withdrawn_at for one in said.values()],
        )


async def drop_unused(conn: Connection, subjects: Collection[bytes]) -> None:
    """Removes locked rows of contacts that no home speaks of any more."""
    await conn.execute(_DROP_UNUSED, list(subjects))


def _columns(grants: Iterable[Grant | None]) -> tuple[list[object], list[object]]:
    kept = list(grants)
    return [one.at if one else None for one in kept], [one.proof if one else None for one in kept]


async def owners(conn: Connection, subjects: Collection[bytes]) -> set[str]:
    """The customers whose verdicts may depend on these contacts."""
    if not subjects:
        return set()
    return {row[0] for row in await conn.fetch(_OWNERS, list(subjects))}


async def read(conn: Connection, subjects: Collection[bytes]) -> dict[str, dict[Topic, Consent]]:
    """What all homes together say, by the subject's hex. Proofs stay in their rows."""
    found: dict[str, dict[Topic, Consent]] = {}
    if subjects:
        for subject, purpose, channel, granted, trusted, withdrawn in await conn.fetch(_READ, list(subjects)):
            said = Consent(Grant(granted) if granted else None, Grant(trusted) if trusted else None, withdrawn)
            found.setdefault(subject.hex(), {})[purpose, channel] = said
    return found
