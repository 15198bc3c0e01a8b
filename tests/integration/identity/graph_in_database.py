"""The graph as the database has it, beside what the specification makes of the ledger in the same database."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from tern_common.clock import SystemClock
from tern_common.db import Pool, connection
from tern_common.hashing import Hasher
from tern_common.sealing import Sealer
from tern_identity.domain.canonical import Graph, canonical
from tern_identity.domain.holding import NEVER, Held
from tern_identity.domain.ledger import At, Home, Ledger, Node
from tern_identity.domain.rules import Rules
from tern_identity.domain.rulings import Ruling, rulings_of
from tern_identity.store import Keys, Membership, Numbers, Store

KEYS = Keys(Hasher(b"a key for tests only"), Sealer({"test": bytes(32)}, "test"), SystemClock())

_TABLES = "node, grp, pair, claim, home, home_node, refusal, outbox, parcel, control, ruling, merge, ruleset, job"


@dataclass(frozen=True)
class Found:
    """What the derived columns say."""

    core_of: dict[int, int]
    guards: dict[int, str]
    held: dict[int, Held]
    members: dict[str, Membership]
    grp_of: dict[int, int]
    tokens: dict[int, tuple[UUID, UUID | None]]


class Graphs:
    """Stores of one database, and what is in it."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    async def store(self, rules: Rules, epoch: int = 0) -> Store:
        """One that works by the rules that are live: these, in a database that has none yet."""
        store = Store(self.pool, KEYS, Numbers(rules, epoch))
        await store.refresh()
        return store

    async def empty(self) -> None:
        async with connection(self.pool) as conn:
            await conn.execute(f"TRUNCATE {_TABLES} RESTART IDENTITY")

    async def ledger(self) -> Ledger:
        async with connection(self.pool) as conn:
            nodes = await conn.fetch("SELECT node_id, ns, kind, hash, blocked FROM node WHERE original IS NOT NULL")
            pairs = await conn.fetch("SELECT a, b, day, source, at, event_id, place FROM pair")
            claims = await conn.fetch("SELECT weak, strong, rank, day, source FROM claim")
            homes = await conn.fetch("SELECT home_id, nodes, day, is_door FROM home WHERE NOT erased")
            words = await conn.fetch("SELECT control_id, word, a, b FROM ruling WHERE live")
        said = rulings_of(Ruling(*row) for row in words)
        return Ledger(
            {node_id: Node(node_id, *known) for node_id, *known, _ in nodes},
            {(a, b, day, source): At(*at) for a, b, day, source, *at in pairs},
            [tuple(row) for row in claims],
            {home_id.hex(): Home(tuple(filed), day, is_door) for home_id, filed, day, is_door in homes},
            replace(said, blocked=said.blocked | {row[0] for row in nodes if row[-1]}),
        )

    async def found(self) -> Found:
        async with connection(self.pool) as conn:
            strong = await conn.fetch(
                "SELECT node_id, core, guard, grp FROM node WHERE core IS NOT NULL AND original IS NOT NULL"
            )
            weak = await conn.fetch(
                "SELECT node_id, holder, shared_from FROM node WHERE core IS NULL AND original IS NOT NULL"
            )
            homes = await conn.fetch("SELECT home_id, customer_id, version, shared FROM home WHERE NOT erased")
            tokens = await conn.fetch("SELECT node_id, token, shared_token FROM node")
        return Found(
            {row[0]: row[1] for row in strong},
            {row[0]: row[2] for row in strong if row[2] is not None},
            {row[0]: Held(row[1], NEVER if row[2] is None else row[2]) for row in weak},
            {home_id.hex(): Membership(*rest) for home_id, *rest in homes},
            {row[0]: row[3] for row in strong},
            {node_id: (token, shared) for node_id, token, shared in tokens},
        )

    async def assert_canonical(self, rules: Rules) -> tuple[Graph, Found]:
        """Fails unless the stored graph is the one that follows from the stored facts."""
        ledger, found = await self.ledger(), await self.found()
        wanted = canonical(ledger, rules)
        assert found.core_of == wanted.core_of
        assert found.guards == wanted.guards
        assert {node: _owner(held, found.core_of) for node, held in found.held.items()} == {
            node: _owner(held, wanted.core_of) for node, held in wanted.held.items()
        }
        assert {home_id: (it.customer_id, it.shared) for home_id, it in found.members.items()} == {
            home_id: (found.tokens[customer.node_id][customer.standing == "browser"], customer.is_shared)
            for home_id, customer in wanted.customers.items()
        }
        return wanted, found


def _owner(held: Held, core_of: dict[int, int]) -> tuple[int | None, int]:
    return (None if held.holder is None else core_of[held.holder]), held.shared_from
