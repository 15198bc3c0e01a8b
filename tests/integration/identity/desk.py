"""An operator's desk over one database: acts, and after each of them the graph must follow from the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from integration.identity.graph_in_database import KEYS, Graphs
from integration.identity.shop_talk import Worker
from tern_common.clock import ManualClock
from tern_common.identifiers import Identifier
from tern_identity.domain.reading import day_of
from tern_identity.domain.rules import Rules
from tern_identity.store import Keys, Numbers, Store
from tern_identity.store.acting import Wish
from tern_identity.store.controls import Kind
from tern_identity.store.lookup import Directory
from tern_identity.store.operators import Done, Operators
from tern_identity.store.ruleset import Act
from unit.identity.histories import SHIPPED, START, Said

CLOCK = ManualClock(START + timedelta(days=10))
TODAY = day_of(CLOCK.now())
FIRST_DAY = day_of(START)
ACT = Act("Olga (t1)", "a customer called", CLOCK.now())
UNDONE = Act("Oleg (t2)", "it was an error", CLOCK.now())


def user(number: int) -> Identifier:
    return Identifier("user_id", f"user-{number}")


def phone(number: int) -> Identifier:
    return Identifier("phone", f"+861381234567{number}")


def email(number: int) -> Identifier:
    return Identifier("email", f"ann{number}@example.com")


def browser(number: int) -> Identifier:
    return Identifier("anonymous_id", f"browser-{number}")


class Desk:
    """One worker and one operator."""

    def __init__(self, graphs: Graphs, rules: Rules = SHIPPED) -> None:
        self.graphs = graphs
        self.rules = rules
        self.keys = Keys(KEYS.hasher, KEYS.sealer, CLOCK)
        self.worker = Worker(graphs, rules=rules)
        self.store = Store(graphs.pool, self.keys, Numbers(rules, 0))
        self.operators = Operators(graphs.pool, self.keys, self.store, self.worker.bus.producer)
        self.directory = Directory(graphs.pool, KEYS.hasher, KEYS.sealer)

    async def hear(self, *history: Said) -> None:
        await self.worker.hear(*history)
        await self.graphs.assert_canonical(self.rules)

    async def do(
        self, kind: Kind, group: Sequence[Identifier] = (), rest: Sequence[Identifier] = (), day: int = TODAY
    ) -> Done:
        return await self._wish(Wish(kind, tuple(group), tuple(rest), day))

    async def revert(self, merge_id: str) -> Done:
        return await self._wish(Wish("revert", day=TODAY, merge_id=UUID(merge_id)))

    async def undo(self, control_id: int) -> Done:
        done = await self.operators.undo(control_id, UNDONE)
        await self.graphs.assert_canonical(self.rules)
        return done

    async def whose(self, identifier: Identifier) -> UUID:
        """The customer behind an identifier's door."""
        known = await self.directory.by_identifier(identifier)
        assert known is not None
        return known.customer_id

    async def owners(self) -> dict[str, tuple[UUID, bool]]:
        """Whose every home and door is."""
        found = await self.graphs.found()
        return {home_id: (it.customer_id, it.shared) for home_id, it in found.members.items()}

    async def _wish(self, wish: Wish) -> Done:
        done = await self.operators.act(wish, ACT)
        await self.graphs.assert_canonical(self.rules)
        return done
