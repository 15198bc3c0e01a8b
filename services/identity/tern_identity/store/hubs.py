"""What ties most of a giant group together: the values that an operator looks at first. Takes no lock."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from tern_common.db import Connection

_BEST_CONNECTED = """
SELECT n.node_id, n.token, count(*) AS partners FROM node n
JOIN LATERAL (SELECT b FROM pair WHERE a = n.node_id UNION SELECT a FROM pair WHERE b = n.node_id) AS p ON true
WHERE n.grp = $1 AND n.guard IS NULL GROUP BY n.node_id, n.token ORDER BY partners DESC, n.node_id LIMIT $2
"""


class Hub(NamedTuple):
    """A value that counts, by its node and the id that it has for ever, and how many it was named with."""

    node_id: int
    token: UUID
    partners: int


async def hubs_of(conn: Connection, grp: int, limit: int) -> list[Hub]:
    """The best-connected values of a group, the first of all first."""
    return [Hub(*row) for row in await conn.fetch(_BEST_CONNECTED, grp, limit)]
