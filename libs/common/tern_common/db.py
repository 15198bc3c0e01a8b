"""PostgreSQL as Tern uses it: pools, transactions, and the one place that knows what its errors mean.

Stores take `Pool` and `Connection` from here. `json` columns are text in both directions, so that free-form parts pass
through untouched. Knows no table.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Protocol, cast

import asyncpg

from tern_common.errors import Misconfigured, TernError, Transient, Unusable

CONNECT_TIMEOUT_S = 5.0
ACQUIRE_TIMEOUT_S = 5.0
COMMAND_TIMEOUT_S = 35.0
"""Longer than the server's own limit: it only ends waits for a server that no longer answers."""

SERVER_SETTINGS: Mapping[str, str] = {
    "idle_in_transaction_session_timeout": "10s",
    "statement_timeout": "30s",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
"""What every role and every connection has: a frozen process must not keep locks (architecture §6)."""

UNHURRIED = "unhurried AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))"
"""For a statement's WITH, which must read from it: nobody waits for the disk until that transaction ends, where a crash
of the database may undo it."""

# The client's "internal" error is what a connection says that broke in the middle of something.
_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
_TRANSIENT_CLASSES = frozenset({"08", "40", "53", "57", "58"})
_TRANSIENT_STATES = frozenset({"55P03", "25P02", "25P03", "25P04", "25006"})
_DATA_CLASSES = frozenset({"22", "23", "54"})
_SETUP_CLASSES = frozenset({"28", "3D", "3F"})
_SETUP_STATES = frozenset({"42501", "42P01", "42703", "42883"})


class Row(Protocol):
    """A row: by column name or by position."""

    def __getitem__(self, key: str | int) -> Any: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Any: ...
    def get(self, key: str, default: Any = None) -> Any: ...
    def keys(self) -> Iterable[str]: ...
    def values(self) -> Iterable[Any]: ...
    def items(self) -> Iterable[tuple[str, Any]]: ...


class Connection(Protocol):
    """What stores use of asyncpg's connection (which ships no types)."""

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str: ...  # noqa: ASYNC109
    async def executemany(self, command: str, args: Iterable[Sequence[Any]]) -> None: ...
    async def fetch(self, query: str, *args: Any) -> list[Row]: ...
    async def fetchrow(self, query: str, *args: Any) -> Row | None: ...
    async def fetchval(self, query: str, *args: Any) -> Any: ...
    async def copy_records_to_table(
        self,
        table_name: str,
        *,
        records: Iterable[Sequence[Any]],
        columns: Sequence[str],
        schema_name: str | None = None,
    ) -> str: ...
    def is_closed(self) -> bool: ...
    def is_in_transaction(self) -> bool: ...


class Pool(Protocol):
    """A bounded set of connections. Opened by `open_pool`; the owner closes it."""

    async def close(self) -> None: ...
    def terminate(self) -> None: ...


class _Session(asyncpg.Connection):  # type: ignore[misc]  # asyncpg ships no types
    """A connection whose session is cleaned when it comes back from a block that broke, and only then.

    What ends in order leaves nothing behind: stores set, lock and listen for no longer than a transaction. To clean is
    a round trip in every use.
    """

    _in_order = False

    def ended_in_order(self) -> None:
        """To be said right before the connection is given back."""
        self._in_order = True

    def get_reset_query(self) -> str:
        in_order, self._in_order = self._in_order, False
        return "" if in_order else str(super().get_reset_query())


async def open_pool(url: str, *, service: str, size: int) -> Pool:
    """A pool whose `search_path` is the service's schema.

    It connects when first used, so that a process can start while the database is away; a wrong URL or password is
    `Misconfigured` then.
    """
    pool = await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=size,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=COMMAND_TIMEOUT_S,
        connection_class=_Session,
        server_settings={
            "application_name": f"tern-{service}",
            "search_path": service,
            "jit": "off",
            # Few rows of large tables by key: a scan is never what we want, nor a join that reads an index as a whole.
            # A plan is made once and kept for long, on a new installation while its tables are still so small that
            # either looks cheap; one that is made for many keys at once thinks so of larger tables too. So two sets
            # without an index (a CTE, an `unnest`) are never joined with each other: that would read their product.
            "random_page_cost": "1.1",
            "enable_seqscan": "off",
            "enable_hashjoin": "off",
            "enable_mergejoin": "off",
            **SERVER_SETTINGS,
        },
    )
    return cast(Pool, pool)


@asynccontextmanager
async def connection(pool: Pool) -> AsyncIterator[Connection]:
    """A connection without a transaction. Raises Tern's errors, as `translated` says.

    A `TimeoutError` of the block's own counts as the database's: nothing tells them apart.
    """
    source = cast(Any, pool)
    with _in_our_words(_gone):
        acquired = await source.acquire(timeout=ACQUIRE_TIMEOUT_S)
    ended_in_order = acquired.ended_in_order  # a connection that breaks is taken away from whom it was lent to
    try:
        with _in_our_words(lambda: _is_lost(acquired)):
            yield acquired
        ended_in_order()
    finally:
        with suppress(*_ERRORS):  # the pool drops a connection that it cannot clean; what the block did stands
            await source.release(acquired)


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """A READ COMMITTED transaction: committed when the block ends, rolled back when it raises.

    A `Transient` from here may also mean "committed, but the answer was lost": repeat only what may be repeated.
    """
    async with connection(pool) as conn, cast(Any, conn).transaction(isolation="read_committed"):
        yield conn


@asynccontextmanager
async def snapshot(pool: Pool) -> AsyncIterator[Connection]:
    """A REPEATABLE READ transaction that only reads: all its statements see one moment, and nobody waits for it."""
    async with connection(pool) as conn, cast(Any, conn).transaction(isolation="repeatable_read", readonly=True):
        yield conn


async def check(pool: Pool) -> None:
    """For readiness: raises unless the database answers."""
    async with connection(pool) as conn:
        await conn.fetchval("SELECT 1")


@contextmanager
def _in_our_words(lost: Callable[[], bool]) -> Iterator[None]:
    try:
        yield
    except _ERRORS as error:
        meant = translated(error, lost=lost())
        if meant is None:
            raise
        raise meant from None


def _gone() -> bool:
    return True


def _is_lost(acquired: Connection) -> bool:
    """A connection that breaks is taken back by its pool, and then refuses even this question."""
    try:
        return acquired.is_closed()
    except asyncpg.InterfaceError:
        return True


def translated(error: Exception, *, lost: bool = False) -> TernError | None:
    """What a database error means for whoever called, or None for a bug. `lost`: the connection is gone.

    The words of a refusal of data never pass: they quote the row.
    """
    match error:
        case asyncpg.DataError():
            return Unusable("data-refused-by-database", str(error.sqlstate or ""))
        case asyncpg.ClientConfigurationError():
            return Misconfigured("the database URL is not one of PostgreSQL")
        case asyncpg.PostgresError():
            return _by_state(error)
        case asyncpg.InterfaceError() | asyncpg.InternalClientError():
            return Transient("the connection to the database is gone") if lost else None
        case TimeoutError():
            return Transient("the database does not answer")
        case _:  # an OSError, which on a sound connection is of the caller's own doing
            return Transient("the database does not answer") if lost else None


def _by_state(error: asyncpg.PostgresError) -> TernError | None:
    state = str(error.sqlstate or "")
    if state in _TRANSIENT_STATES or state[:2] in _TRANSIENT_CLASSES:
        return Transient(f"the database asks to try again ({state})")
    if state[:2] in _DATA_CLASSES:
        return Unusable("data-refused-by-database", " ".join(filter(None, (state, error.constraint_name))))
    if state in _SETUP_STATES or state[:2] in _SETUP_CLASSES:
        return Misconfigured(f"the database refuses: {error}: check the URL and the role, and run the migrations")
    return None
