"""What is left of homes that were erased: their rows, without a customer, and the withdrawals that name a contact.

Such a row keeps the events of its home from coming back, whatever order they come in. A withdrawal is kept under the
keyed hash of the contact it names, so that an erasure allows nobody to be written to who had refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tern_common.db import Connection
from tern_profile.domain.consent import Consent, Key, combine
from tern_profile.domain.statements import Filed, MessageKey, withdrawals_of
from tern_profile.store import consents

_EMPTY = """
UPDATE home SET first_at = NULL, last_at = NULL, activity = NULL, rhythm = NULL, standing = NULL
WHERE home_id = ANY($1::bytea[])
"""

_FORGET_EVENTS = "DELETE FROM event WHERE home_id = ANY($1::bytea[])"


class Erased(NamedTuple):
    """Homes of a batch. `newly`: those of which something may be kept still."""

    homes: set[bytes]
    newly: set[bytes]

    def spared(self, filed: Mapping[MessageKey, Filed]) -> Mapping[MessageKey, Filed]:
        """Without what is filed under erased homes."""
        return {key: said for key, said in filed.items() if key[0] not in self.homes} if self.homes else filed


class Suppressed(NamedTuple):
    """What erasure does to the rows of contacts. `subjects`: all that are concerned."""

    homes: frozenset[bytes] = frozenset()
    said: Mapping[tuple[bytes, Key], Consent] = {}
    subjects: frozenset[bytes] = frozenset()


NOTHING = Suppressed()


async def prepare(conn: Connection, erased: Erased, filed: Mapping[MessageKey, Filed]) -> Suppressed:
    """Deletes events and fragments of locked homes. What is kept about contacts waits for the subjects' locks."""
    if not erased.homes:
        return NOTHING
    said = _withdrawals(said for key, said in filed.items() if key[0] in erased.homes)
    subjects = {bytes.fromhex(key.subject) for _, key in said}
    if erased.newly:
        await conn.execute(_FORGET_EVENTS, list(erased.newly))
        await conn.execute(_EMPTY, list(erased.newly))
        subjects |= await consents.subjects_of(conn, erased.newly)
    return Suppressed(frozenset(erased.newly), said, frozenset(subjects))


def _withdrawals(filed: Iterable[Filed]) -> dict[tuple[bytes, Key], Consent]:
    found: dict[tuple[bytes, Key], Consent] = {}
    for one in filed:
        for key, said in withdrawals_of(one.fragment).items():
            found[one.home, key] = combine(found.get((one.home, key), Consent()), said)
    return found


async def carry_out(conn: Connection, suppressed: Suppressed) -> None:
    """The subjects are locked."""
    if suppressed.homes:
        await consents.suppress(conn, suppressed.homes)
    await consents.withdraw(conn, suppressed.said)
    if suppressed.subjects:
        await consents.drop_unused(conn, suppressed.subjects)
