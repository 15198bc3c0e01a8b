"""The rows of what operators did, and of the words that it means (identity.md §6): kept for ever, taken back singly.

Knows rows; what an act means for the graph, and who may do it, is not its business.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Literal, NamedTuple

from tern_common.arrays import columns
from tern_common.db import Connection
from tern_identity.domain.rulings import Ruling
from tern_identity.store.ruleset import Act

Kind = Literal["revert", "split", "block", "allow", "retire", "cannot-link", "erase"]

_ONE_AT_A_TIME = "LOCK TABLE control IN SHARE ROW EXCLUSIVE MODE"

_ADD = """
INSERT INTO control (kind, nodes, rest, day, by, reason, at) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING control_id
"""

_ADD_WORDS = """
INSERT INTO ruling (control_id, word, a, b) SELECT * FROM unnest(
    $1::text::bigint[], $2::text::text[], $3::text::bigint[], $4::text::bigint[]
)
"""

_COLUMNS = (
    "SELECT control_id, kind, nodes, rest, day, by, reason, at, undone_by, undone_reason, undone_at FROM control "
)
_FIND = _COLUMNS + "WHERE control_id = $1"
_PAGE = _COLUMNS + (
    "WHERE ($1::bigint IS NULL OR control_id < $1) AND ($2::text IS NULL OR kind = $2)"
    " ORDER BY control_id DESC LIMIT $3"
)

_IN_FORCE = """
SELECT control_id FROM control
WHERE kind = $1 AND nodes = $2 AND rest = $3 AND undone_at IS NULL ORDER BY control_id LIMIT 1
"""

_TAKE_BACK = "UPDATE control SET undone_by = $2, undone_reason = $3, undone_at = $4 WHERE control_id = $1"
_TAKE_BACK_WORDS = "UPDATE ruling SET live = false WHERE control_id = $1"

_NAMING = "SELECT min(control_id) FROM ruling WHERE live AND (a = $1 OR b = $1)"
_SILENCE = "UPDATE ruling SET live = false WHERE live AND (a = ANY($1::bigint[]) OR b = ANY($1::bigint[]))"


class Control(NamedTuple):
    """One act. `nodes`, and `rest` where there are two sides: whom it speaks of. `day`: days since 1970."""

    control_id: int
    kind: Kind
    nodes: tuple[int, ...]
    rest: tuple[int, ...]
    day: int | None
    act: Act
    undone: Act | None


async def one_at_a_time(conn: Connection) -> None:
    """Until the transaction ends no other act begins: they are rare, and each speaks of what the last one left."""
    await conn.execute(_ONE_AT_A_TIME)


async def add(
    conn: Connection, kind: Kind, nodes: Collection[int], rest: Collection[int], day: int | None, act: Act
) -> int:
    """The number of the new control."""
    return int(await conn.fetchval(_ADD, kind, list(nodes), list(rest), day, *act))


async def add_words(conn: Connection, words: Iterable[Ruling]) -> None:
    """They hold from now on."""
    if rows := list(words):
        await conn.execute(_ADD_WORDS, *columns(rows))


async def find(conn: Connection, control_id: int) -> Control | None:
    """One control; None when there is none of this number."""
    row = await conn.fetchrow(_FIND, control_id)
    return None if row is None else _control(row)


async def page(conn: Connection, before: int | None, kind: Kind | None, limit: int) -> list[Control]:
    """The newest first; `before`: only those of smaller numbers."""
    return [_control(row) for row in await conn.fetch(_PAGE, before, kind, limit)]


async def in_force(conn: Connection, kind: Kind, nodes: Collection[int], rest: Collection[int] = ()) -> int | None:
    """The number of a control that says the same of the same, and was not taken back."""
    found: int | None = await conn.fetchval(_IN_FORCE, kind, list(nodes), list(rest))
    return found


async def take_back(conn: Connection, control_id: int, act: Act) -> None:
    """Its words hold no more; the row says who took them back, and why."""
    await conn.execute(_TAKE_BACK, control_id, *act)
    await conn.execute(_TAKE_BACK_WORDS, control_id)


async def naming(conn: Connection, node: int) -> int | None:
    """The number of the first control whose words name a node and hold."""
    found: int | None = await conn.fetchval(_NAMING, node)
    return found


async def silence(conn: Connection, nodes: Collection[int]) -> None:
    """No word names any of these any more."""
    await conn.execute(_SILENCE, list(nodes))


def _control(row: Any) -> Control:
    control_id, kind, nodes, rest, day, *acts = row
    undone = None if acts[-1] is None else Act(*acts[3:])
    return Control(control_id, kind, tuple(nodes), tuple(rest), day, Act(*acts[:3]), undone)
