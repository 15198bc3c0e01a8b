"""Questions of people: who stands behind an id or an identifier, and what is known of them. Takes no lock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from tern_common.db import Connection, Pool, Row, connection
from tern_common.errors import Refused
from tern_common.hashing import Hasher
from tern_common.identifiers import Identifier
from tern_common.sealing import Sealer
from tern_identity.domain.placing import Customer
from tern_identity.store.groups import customers_of
from tern_identity.store.homes import Standing, standings_by_token

HOMES_SHOWN = 1_000

_DOOR = "SELECT customer_id FROM home WHERE home_id = $1"

_BROWSERS = "SELECT DISTINCT weak FROM claim WHERE strong = ANY($1::bigint[])"

_IDENTIFIERS = """
SELECT ns, original FROM node
WHERE original IS NOT NULL
  AND (node_id = ANY($1::bigint[])
       OR (node_id = ANY($2::bigint[]) AND holder = ANY($1::bigint[]) AND shared_from IS NULL))
ORDER BY node_id
"""

_HOMES = """
SELECT DISTINCT h.home_id, h.day
FROM home_node f JOIN home h USING (home_id)
WHERE f.node_id = ANY($1::bigint[]) AND h.customer_id = $2 AND NOT h.is_door
ORDER BY h.day DESC, h.home_id
LIMIT $3
"""


class Known(NamedTuple):
    """A customer as identity knows it: its identifiers in order of birth, the newest of its homes first."""

    customer_id: UUID
    identifiers: Sequence[Identifier]
    homes: Sequence[str]
    shared: bool


class Directory:
    """Answers who a customer is."""

    def __init__(self, pool: Pool, hasher: Hasher, sealer: Sealer) -> None:
        self._pool = pool
        self._hasher = hasher
        self._sealer = sealer

    async def by_id(self, customer_id: UUID) -> Known | None:
        """The customer that any id ever published stands for now; None for any other id. Raises `Refused` when what
        stood behind it was erased."""
        async with connection(self._pool) as conn:
            return await self._by_id(conn, customer_id)

    async def by_identifier(self, identifier: Identifier) -> Known | None:
        """The customer behind a normalised identifier's door; None when it was never seen."""
        async with connection(self._pool) as conn:
            customer_id = await conn.fetchval(_DOOR, bytes.fromhex(self._hasher.door(*identifier)))
            return None if customer_id is None else await self._by_id(conn, customer_id)

    async def _by_id(self, conn: Connection, customer_id: UUID) -> Known | None:
        standing = (await standings_by_token(conn, [customer_id])).get(customer_id)
        if standing is None:
            return None
        if standing.erased:
            raise Refused(410, "gone", "What stood behind this id was erased.")
        customer = standing.resolved(customer_id)
        return await self._describe(conn, customer, standing)

    async def _describe(self, conn: Connection, customer: Customer, standing: Standing) -> Known:
        name = standing.name(customer)
        own, browsers = [customer.node_id], list[int]()
        if customer.standing == "person":
            own = sorted(await customers_of(conn, [customer.node_id]))
            browsers = _numbers(await conn.fetch(_BROWSERS, own))
        originals = await conn.fetch(_IDENTIFIERS, own, browsers)
        homes = await conn.fetch(_HOMES, [*own, *browsers], name, HOMES_SHOWN)
        return Known(
            name,
            [Identifier(ns, self._sealer.open(original)) for ns, original in originals],
            [row[0].hex() for row in homes],
            customer.is_shared,
        )


def _numbers(rows: Sequence[Row]) -> list[int]:
    return [row[0] for row in rows]
