"""Rows of `fact` and `cart_key`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from tern_common.arrays import columns
from tern_common.db import Connection, Row
from tern_triggers.domain.facts import Fact, decode_body, encode_body
from tern_triggers.domain.folds.cart import Newest, Ordered
from tern_triggers.domain.news import Batch
from tern_triggers.domain.touched import CartKnown, Prompts


async def add(conn: Connection, facts: Iterable[Fact]) -> None:
    """Adds to the set. Of copies of one message the least by (time, passive, body) stays."""
    said = sorted(facts, key=lambda fact: fact.name)
    if not said:
        return
    await conn.execute(
        """
        INSERT INTO fact AS kept (home_id, kind, key, message_id, at, passive, body)
        SELECT * FROM unnest($1::text::uuid[], $2::text::text[], $3::text::text[], $4::text::text[],
          $5::text::timestamptz[], $6::text::bool[], $7::text::bytea[])
        ON CONFLICT (home_id, kind, key, message_id) DO UPDATE
        SET at = excluded.at, passive = excluded.passive, body = excluded.body
        WHERE (excluded.at, excluded.passive, excluded.body) < (kept.at, kept.passive, kept.body)
        """,
        *columns((*fact.name, fact.at, fact.passive, encode_body(fact.body)) for fact in said),
    )


async def of_homes(conn: Connection, homes: Collection[str], most: int | None = None) -> list[Fact]:
    """All facts of these homes, or so many of them, in no order."""
    rows = await conn.fetch(
        "SELECT home_id, kind, key, message_id, at, passive, body FROM fact WHERE home_id = ANY($1::uuid[]) LIMIT $2",
        list(homes),
        most,
    )
    return [_fact(row) for row in rows]


async def newest_of(conn: Connection, homes: Collection[str], limit: int) -> list[Fact]:
    """The newest facts of these homes together, newest first."""
    rows = await conn.fetch(
        """
        SELECT home_id, kind, key, message_id, at, passive, body FROM fact
        WHERE home_id = ANY($1::uuid[]) ORDER BY at DESC, message_id DESC, home_id, kind, key LIMIT $2
        """,
        list(homes),
        limit,
    )
    return [_fact(row) for row in rows]


async def events_of(conn: Connection, homes: Collection[str], names: Collection[str], most: int) -> list[Fact]:
    """The newest `most` events of each of these homes that have one of these names, in no order."""
    rows = await conn.fetch(
        """
        SELECT found.* FROM unnest($1::uuid[]) AS who CROSS JOIN LATERAL (
          SELECT home_id, kind, key, message_id, at, passive, body FROM fact
          WHERE home_id = who AND kind = 'event' AND key = ANY($2::text[])
          ORDER BY at DESC, message_id DESC, key LIMIT $3
        ) AS found
        """,
        list(homes),
        list(names),
        most,
    )
    return [_fact(row) for row in rows]


async def enough(conn: Connection, prompts: Prompts) -> set[str]:
    """The customers that have all the events that are asked for, by any one of what would be enough.

    Fact by fact of their homes: planned while there are few facts, a join would begin with everybody's.
    """
    asked = [(who, *one[:3], one.span.total_seconds()) for who, wanted in prompts.items() for one in wanted]
    if not asked:
        return set()
    rows = await conn.fetch(
        """
        SELECT DISTINCT who FROM unnest($1::text::uuid[], $2::text::text[], $3::text::bytea[], $4::text::int[],
          $5::text::float8[]) AS said (who, key, part, least, span)
        WHERE (
          SELECT count(*) >= said.least AND max(at) - min(at) >= said.span * interval '1 s'
          FROM membership CROSS JOIN LATERAL (
            SELECT at FROM fact WHERE fact.home_id = membership.home_id AND kind = 'event' AND key = said.key
              AND position(said.part IN body) > 0 OFFSET 0
          ) AS found
          WHERE membership.customer_id = said.who
        )
        """,
        *columns(asked),
    )
    return {str(row[0]) for row in rows}


async def counts(conn: Connection, customers: Collection[str], most: int) -> dict[str, int]:
    """How many facts a look at each of these customers would load, counted up to `most`."""
    rows = await conn.fetch(
        """
        SELECT who, (
          SELECT count(*) FROM (
            SELECT FROM membership CROSS JOIN LATERAL (
              SELECT FROM fact WHERE fact.home_id = membership.home_id OFFSET 0
            ) AS kept
            WHERE membership.customer_id = who LIMIT $2
          ) AS found
        ) FROM unnest($1::uuid[]) AS who
        """,
        list(customers),
        most,
    )
    return {str(row[0]): row[1] for row in rows}


async def forget(conn: Connection, facts: Sequence[Fact]) -> None:
    """Deletes facts that no fold can ever read again."""
    if not facts:
        return
    await conn.execute(
        """
        DELETE FROM fact USING unnest($1::uuid[], $2::text[], $3::text[], $4::text[])
          AS old (home_id, kind, key, message_id)
        WHERE (fact.home_id, fact.kind, fact.key, fact.message_id) = (old.home_id, old.kind, old.key, old.message_id)
        """,
        [fact.home_id for fact in facts],
        [fact.kind for fact in facts],
        [fact.key for fact in facts],
        [fact.message_id for fact in facts],
    )


async def erase(conn: Connection, homes: Collection[str]) -> None:
    """Deletes all facts of these homes. What `cart_key` says stays: an erasure brings no reason back to life."""
    await conn.execute("DELETE FROM fact WHERE home_id = ANY($1::uuid[])", list(homes))


async def carts(conn: Connection, cart_ids: Collection[str]) -> dict[str, CartKnown]:
    """The rows of these carts, as far as there are any."""
    if not cart_ids:
        return {}
    rows = await conn.fetch(f"{_CART} WHERE cart_id = ANY($1::text[])", list(cart_ids))
    return {row[0]: _cart(row) for row in rows}


async def locked_carts(conn: Connection, cart_ids: Collection[str]) -> dict[str, CartKnown]:
    """The same, locked, ascending: as they are once whoever had them locked is done."""
    if not cart_ids:
        return {}
    locking = f'{_CART} WHERE cart_id = ANY($1::text[]) ORDER BY cart_id COLLATE "C" FOR UPDATE'
    return {row[0]: _cart(row) for row in await conn.fetch(locking, list(cart_ids))}


async def raise_carts(conn: Connection, batch: Batch, known: Mapping[str, CartKnown]) -> bool:
    """Creates the rows of carts seen for the first time, and raises the maxima of those whose rows this transaction
    holds. Writes only what is news. False: another transaction was first with one of the new ones."""
    newest, ordered = batch.newest, {cart_id: max(orders) for cart_id, orders in batch.ordered.items()}
    news = {
        cart_id: _raised(known.get(cart_id), newest.get(cart_id), ordered.get(cart_id)) for cart_id in batch.cart_ids
    }
    if not await _add_carts(conn, [(cart_id, said) for cart_id, said in news.items() if cart_id not in known]):
        return False
    changed = [(cart_id, said) for cart_id, said in news.items() if said != known.get(cart_id, said)]
    await _update_carts(conn, changed)
    return True


async def _add_carts(conn: Connection, carts: Sequence[tuple[str, CartKnown]]) -> bool:
    """Ascending, as `Batch.cart_ids` are."""
    if not carts:
        return True
    added = await conn.fetch(
        """
        INSERT INTO cart_key (cart_id, newest_at, newest_message, newest_home, order_at, order_message)
        SELECT * FROM unnest($1::text::text[], $2::text::timestamptz[], $3::text::text[], $4::text::uuid[],
          $5::text::timestamptz[], $6::text::text[])
        ON CONFLICT (cart_id) DO NOTHING RETURNING 1
        """,
        *_cart_columns(carts),
    )
    return len(added) == len(carts)


async def _update_carts(conn: Connection, carts: Sequence[tuple[str, CartKnown]]) -> None:
    if not carts:
        return
    await conn.execute(
        """
        UPDATE cart_key AS kept SET
          newest_at = said.newest_at, newest_message = said.newest_message, newest_home = said.newest_home,
          order_at = said.order_at, order_message = said.order_message
        FROM unnest($1::text::text[], $2::text::timestamptz[], $3::text::text[], $4::text::uuid[],
          $5::text::timestamptz[], $6::text::text[])
          AS said (cart_id, newest_at, newest_message, newest_home, order_at, order_message)
        WHERE kept.cart_id = said.cart_id
        """,
        *_cart_columns(carts),
    )


def _cart_columns(carts: Iterable[tuple[str, CartKnown]]) -> list[str]:
    return columns(
        (cart_id, *(said.newest or _NOTHING * 3), *(said.ordered or _NOTHING * 2)) for cart_id, said in carts
    )


_NOTHING = (None,)

_CART = "SELECT cart_id, newest_at, newest_message, newest_home, order_at, order_message FROM cart_key"


def _fact(row: Row) -> Fact:
    return Fact(row[0].hex, row[1], row[2], row[3], row[4], row[5], decode_body(row[6]))


def _cart(row: Row) -> CartKnown:
    newest = None if row[1] is None else Newest(row[1], row[2], row[3].hex)
    return CartKnown(newest, None if row[4] is None else Ordered(row[4], row[5]))


def _raised(known: CartKnown | None, newest: Newest | None, ordered: Ordered | None) -> CartKnown:
    kept = known or CartKnown(None, None)
    return CartKnown(
        max((one for one in (kept.newest, newest) if one is not None), default=None),
        max((one for one in (kept.ordered, ordered) if one is not None), default=None),
    )
