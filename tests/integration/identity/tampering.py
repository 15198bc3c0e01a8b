"""Connections that leave out a rule of the store's protocol on purpose, and that stop where they are told to.

The store is the product's own, statement by statement; only what reaches the database differs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from integration.identity.graph_in_database import KEYS, Graphs
from support.waiting import eventually
from tern_common.db import Pool, connection
from tern_identity.domain.collapsing import Heard
from tern_identity.domain.rules import Rules
from tern_identity.store import Filed, Numbers, Store, browsers, groups, homes

PATIENCE_S = 20.0

_WAITING = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


@dataclass
class Tampering:
    """What is left out. `unlocked`: statements that lose their FOR UPDATE. `sees_no_moves`: after the groups are locked
    the nodes of the news are taken as they are, in whatever group they are by now."""

    unlocked: Sequence[str] = ()
    sees_no_moves: bool = False
    _asked: str = "{}"

    def of(self, query: str, args: Sequence[Any]) -> str:
        """The statement as it is sent."""
        if query == groups._LOCK:
            self._asked = args[0]
        if self.sees_no_moves and query == groups._LOAD_GROUPS:
            return f"{query} OR node_id = ANY('{self._asked}'::bigint[])"
        return query.replace("FOR UPDATE", "") if query in self.unlocked else query


FAITHFUL = Tampering()
WITHOUT_GROUP_LOCK = Tampering(unlocked=[groups._LOCK])
WITHOUT_SECOND_LOOK = Tampering(sees_no_moves=True)
WITHOUT_BROWSER_LOCK = Tampering(unlocked=[browsers._LOCK])
WITHOUT_HOME_LOCK = Tampering(unlocked=[homes._LOCK])


class Gate:
    """Stops the first transaction that comes to a statement, before it is sent. `passed`: all that went by."""

    def __init__(self, before: str | None = None) -> None:
        self._before = before
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()
        self.passed: list[str] = []

    async def pass_by(self, query: str) -> None:
        self.passed.append(query)
        if query == self._before and not self.reached.is_set():
            self.reached.set()
            await self.opened.wait()


class _Connection:
    """asyncpg's, tampered with."""

    def __init__(self, real: Any, tampering: Tampering, gate: Gate) -> None:
        self.real = real
        self._tampering = tampering
        self._gate = gate

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    async def fetch(self, query: str, *args: Any) -> Any:
        return await self.real.fetch(await self._sent(query, args), *args)

    async def execute(self, query: str, *args: Any) -> Any:
        return await self.real.execute(await self._sent(query, args), *args)

    async def _sent(self, query: str, args: Sequence[Any]) -> str:
        await self._gate.pass_by(query)
        return self._tampering.of(query, args)


class _Pool:
    """Gives such connections."""

    def __init__(self, real: Pool, tampering: Tampering, gate: Gate) -> None:
        self._real = cast(Any, real)
        self._tampering = tampering
        self._gate = gate

    async def acquire(self, timeout: float) -> _Connection:  # noqa: ASYNC109
        return _Connection(await self._real.acquire(timeout=timeout), self._tampering, self._gate)

    async def release(self, acquired: _Connection) -> None:
        await self._real.release(acquired.real)


async def store(graphs: Graphs, rules: Rules, tampering: Tampering, gate: Gate) -> Store:
    """The product's store on such connections."""
    pool = cast(Pool, _Pool(graphs.pool, tampering, gate))
    opened = Store(pool, KEYS, Numbers(rules, 0))
    await opened.refresh()
    return opened


@dataclass(frozen=True)
class Race:
    """`first` comes to the statement `at` and stands there until `second` is done, or waits for it in the database."""

    first: Sequence[Heard]
    second: Sequence[Heard]
    at: str
    stored: Sequence[Heard] = ()

    async def run(self, graphs: Graphs, rules: Rules, tampering: Tampering) -> None:
        await (await store(graphs, rules, FAITHFUL, Gate())).file(self.stored)
        gate, done = Gate(self.at), asyncio.Event()
        ahead = await store(graphs, rules, tampering, gate)
        behind = await store(graphs, rules, tampering, Gate())

        async def follow() -> list[Filed]:
            await gate.reached.wait()
            try:
                return await behind.file(self.second)
            finally:
                done.set()

        async def conduct() -> None:
            await gate.reached.wait()

            async def has_come_to_rest() -> bool:
                return done.is_set() or await _somebody_waits(graphs.pool)

            try:
                await eventually(has_come_to_rest, PATIENCE_S, "the second is done, or waits for the first")
            finally:
                gate.opened.set()

        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(ahead.file(self.first), follow(), conduct())


async def _somebody_waits(pool: Pool) -> bool:
    async with connection(pool) as conn:
        return bool(await conn.fetchval(_WAITING))
