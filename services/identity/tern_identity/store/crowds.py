"""Accounts that were seen on too many browsers to hold any (identity.md §3.4). Under the lock of their groups."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from tern_common.arrays import array, columns
from tern_common.db import Connection
from tern_identity.domain.ledger import ClaimKey
from tern_identity.domain.rules import Rules
from tern_identity.store.groups import Locked

_COUNT_BROWSERS = """
SELECT n.id, (
    SELECT count(*) FROM (
        SELECT DISTINCT weak FROM claim
        WHERE strong = n.id AND (rank = 1 OR source <> ALL($3::text::text[])) LIMIT $2
    ) AS seen
) >= $2
FROM unnest($1::text::bigint[]) AS n (id)
"""

_CROWD = """
UPDATE node SET crowded = n.crowded FROM unnest($1::text::bigint[], $2::text::boolean[]) AS n (node_id, crowded)
WHERE node.node_id = n.node_id
"""


async def recount_browsers(
    conn: Connection, locked: Locked, news: Iterable[ClaimKey], again: Collection[int], rules: Rules
) -> set[int]:
    """Accounts that were just seen on one browser too many hold none from now on. News only ever adds browsers; those
    of `again` are counted anew either way. Returns whoever turned."""
    candidates = ({strong for _, strong, *_ in news} - locked.crowded) | set(again)
    if not candidates:
        return set()
    limit, distrusted = rules.browsers_per_account + 1, sorted(rules.distrusted)
    counted = await conn.fetch(_COUNT_BROWSERS, array(sorted(candidates)), limit, array(distrusted))
    turned = {node_id: crowded for node_id, crowded in counted if crowded != (node_id in locked.crowded)}
    if turned:
        await conn.execute(_CROWD, *columns(sorted(turned.items())))
    return set(turned)
