"""Identity's tables made empty, or filled with persons who are no part of the traffic. The bench's only SQL about them.

A stored person is a login and a browser that she signed in on: two nodes, a group, a claim, the home of the login and
the door of the browser. What is stored is sound, save that no value stands behind its hashes.
"""

from __future__ import annotations

from typing import NamedTuple

from load.rig import Rig
from tern_common.db import COMMAND_TIMEOUT_S, Connection, connection, open_pool
from tern_identity.tables import SCHEMA, metadata

KEPT = ("ruleset",)
"""What identity is told, and does not learn from events."""
_LIMIT_S = 10 * COMMAND_TIMEOUT_S

_PERSONS = """
CREATE TEMP TABLE person AS
SELECT n, nextval('node_id') AS login, nextval('node_id') AS browser, gen_random_uuid() AS token
FROM generate_series(1, $1) AS n
"""

_STORE = (
    """
    INSERT INTO node (node_id, hash, ns, kind, token, original, grp, core, crowded)
    SELECT login, decode(md5('login' || n), 'hex'), 'user_id', 'unique', token, decode(repeat('00', 50), 'hex'), login,
           login, false
    FROM person
    """,
    """
    INSERT INTO node (node_id, hash, ns, kind, token, original, holder, shared_token)
    SELECT browser, decode(md5('browser' || n), 'hex'), 'anonymous_id', 'weak', gen_random_uuid(),
           decode(repeat('00', 50), 'hex'), login, gen_random_uuid()
    FROM person
    """,
    "INSERT INTO grp (grp, rules) SELECT login, (SELECT version FROM ruleset WHERE live) FROM person",
    """
    INSERT INTO claim (weak, strong, rank, day, source, at, event_id)
    SELECT browser, login, 1, 20000, 'load', timestamptz 'epoch' + interval '20000 days', 'stored-' || n
    FROM person
    """,
    """
    INSERT INTO home (home_id, nodes, day, is_door, customer_id, shared, version)
    SELECT decode(md5('home of login' || n), 'hex'), ARRAY[login], 2147483646, false, token, false,
           nextval('membership_version')
    FROM person
    UNION ALL
    SELECT decode(md5('door of browser' || n), 'hex'), ARRAY[browser], 2147483646, true, token, false,
           nextval('membership_version')
    FROM person
    """,
    """
    INSERT INTO home_node (node_id, home_id)
    SELECT login, decode(md5('home of login' || n), 'hex') FROM person
    UNION ALL
    SELECT browser, decode(md5('door of browser' || n), 'hex') FROM person
    """,
)

_FRAGMENTS = """
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY n), percentile_disc(0.99) WITHIN GROUP (ORDER BY n)
FROM (SELECT count(*) AS n FROM home WHERE NOT is_door GROUP BY customer_id) AS customer
"""


class Fragments(NamedTuple):
    """Homes with events of one customer: the middle, and the 99th of a hundred."""

    median: int
    p99: int


async def fill(rig: Rig, persons: int) -> None:
    """Empties identity's tables and stores so many persons. Identity must be at rest."""
    pool = await open_pool(rig.platform.postgres, service=SCHEMA, size=1)
    try:
        async with connection(pool) as conn:
            await conn.execute("SET statement_timeout = 0")
            await _empty(conn)
            await _store(conn, persons)
            for table in metadata.tables.values():
                await conn.execute(f"ANALYZE {table.name}", timeout=_LIMIT_S)
            await conn.execute("CHECKPOINT", timeout=_LIMIT_S)
    finally:
        await pool.close()


async def fragments(rig: Rig) -> Fragments:
    """How many homes a customer has now."""
    pool = await open_pool(rig.platform.postgres, service=SCHEMA, size=1)
    try:
        async with connection(pool) as conn:
            row = await conn.fetchrow(_FRAGMENTS)
    finally:
        await pool.close()
    return Fragments(*row) if row is not None and row[0] is not None else Fragments(0, 0)


async def _empty(conn: Connection) -> None:
    names = ", ".join(table.name for table in metadata.tables.values() if table.name not in KEPT)
    await conn.execute(f"TRUNCATE {names}", timeout=_LIMIT_S)


async def _store(conn: Connection, persons: int) -> None:
    if not persons:
        return
    await conn.execute(_PERSONS, persons, timeout=_LIMIT_S)
    for statement in _STORE:
        await conn.execute(statement, timeout=_LIMIT_S)
    await conn.execute("DROP TABLE person")
