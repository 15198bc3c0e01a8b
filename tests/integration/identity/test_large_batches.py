"""A batch reads what its own persons have, however many are stored.

Looked up by a join, PostgreSQL may think it cheaper to read an index as a whole where a batch asks for many at once.
Then each batch costs what all persons of a shop do.
"""

from __future__ import annotations

from collections.abc import Iterable

from integration.identity.graph_in_database import KEYS, Graphs
from support.reading import rows_read
from tern_common.db import Connection, transaction
from tern_identity.domain.collapsing import Heard, collapse
from tern_identity.store import Numbers, Work
from tern_identity.store.names import names_of
from tern_identity.store.news import home_ids, memberships, news_of, numbered
from tern_identity.store.settling import settle
from unit.identity.histories import SHIPPED, Said, heard

STORED, BATCH = 3_000, 300
VALUES = 3
"""Of each person: a login, an address, a browser."""
TIMES = 6
"""At most so many rows are read for each value, of its node, group, claims, pairs and homes; some of them twice."""
TABLES = "node", "grp", "pair", "claim", "home", "home_node"


def persons(begin: int, count: int) -> list[Heard]:
    """Each logs in once, in a browser of their own."""
    return heard(Said(n, 0, user=n, email=n, browser=n) for n in range(begin, begin + count))


async def file(conn: Connection, events: Iterable[Heard], numbers: Numbers) -> None:
    """All that the store does for a batch; in one transaction, unlike there, so that what it reads can be counted."""
    facts = collapse(events)
    names = await names_of(conn, [identifier for identifier, _ in facts.identifiers], KEYS, numbers.rules)
    batch = numbered(facts, names, home_ids(facts, names, KEYS.hasher))
    known = await memberships(conn, batch, numbers.rules)
    await settle(conn, Work(await news_of(conn, batch, known)), numbers)


async def rows_read_for(graphs: Graphs, batch: Iterable[Heard]) -> int:
    """What a batch reads where many others are stored."""
    store = await graphs.store(SHIPPED)
    await store.file(persons(1, STORED))
    async with transaction(graphs.pool) as conn:
        before = await rows_read(conn, *TABLES)
        await file(conn, batch, Numbers(store.rules, 0))
        return await rows_read(conn, *TABLES) - before


async def test_a_batch_of_new_persons_reads_no_others(graphs: Graphs) -> None:
    assert await rows_read_for(graphs, persons(STORED + 1, BATCH)) <= TIMES * VALUES * BATCH


async def test_a_batch_of_known_persons_reads_no_others(graphs: Graphs) -> None:
    assert await rows_read_for(graphs, persons(1, BATCH)) <= TIMES * VALUES * BATCH


async def test_a_batch_of_known_persons_on_new_browsers_reads_no_others(graphs: Graphs) -> None:
    moved = heard(Said(-n, 1, user=n, browser=-n) for n in range(1, BATCH + 1))
    assert await rows_read_for(graphs, moved) <= TIMES * VALUES * BATCH
