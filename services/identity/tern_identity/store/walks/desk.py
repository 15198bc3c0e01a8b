"""What work on the graph is done with, and how a part of it is folded while others work on it too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tern_common.clock import Clock
from tern_common.db import Pool, transaction
from tern_common.errors import Transient
from tern_common.sealing import Sealer
from tern_identity.domain.rules import Rules
from tern_identity.store import groups
from tern_identity.store.errors import GroupsMoved, Misread
from tern_identity.store.ruleset import live_rules
from tern_identity.store.settling import Settled
from tern_identity.store.surroundings import hold_browsers
from tern_identity.store.tally import UNTOLD, Tally
from tern_identity.store.walks.folding_again import Lock, Task, fold_again, judge
from tern_identity.store.walks.views import StoredBlocklist, View
from tern_identity.store.walks.walking import Stretch

PATIENCE = 20
"""How often a chunk that brings nothing new to lock is begun again, before it waits for calmer times."""


class Sizes(NamedTuple):
    """How many nodes a chunk has: of work that locks them, that only reads, and that writes rows of their own."""

    folding: int = 200
    reading: int = 400
    writing: int = 1_000


class Desk(NamedTuple):
    """`shipped`: the rules of a database that has none yet."""

    pool: Pool
    sealer: Sealer
    clock: Clock
    shipped: Rules
    epoch: int
    sizes: Sizes = Sizes()
    tally: Tally = UNTOLD

    async def rules(self) -> Rules:
        """Those in force."""
        return await live_rules(self.pool, self.shipped, self.clock.now())


async def folded(desk: Desk, task: Task, view: View | None = None) -> Settled:
    """Folds again, with more and more of what is found to belong to it. `view`: that of an earlier chunk, which knows
    already whom it is dear to ask for. Raises `Transient` when others are faster."""
    waited = 0
    while waited < PATIENCE:
        rules = await desk.rules()
        if view is None or view.rules != rules:
            view = View(rules, StoredBlocklist())
        try:
            async with transaction(desk.pool) as conn:
                settled = await fold_again(conn, task, view, desk.epoch)
        except GroupsMoved as moved:
            waited += moved.nodes <= task.also
            task = task._replace(also=task.also | moved.nodes)
        except Misread:
            waited += 1
        else:
            desk.tally.settled(settled.refolds, settled.moved)
            return settled
    raise Transient("a group moves faster than it can be locked")


async def judged(desk: Desk, chunk: Stretch, rules: Rules) -> None:
    """Judges the blocklist anew on a chunk. Raises `Transient` when others are faster."""
    for nodes, lock in ((chunk.strong, groups.lock), (chunk.weak, hold_browsers)):
        if nodes:
            await _judged(desk, nodes, rules, lock)


async def _judged(desk: Desk, nodes: Sequence[int], rules: Rules, lock: Lock) -> None:
    for _ in range(PATIENCE):
        try:
            async with transaction(desk.pool) as conn:
                return await judge(conn, nodes, rules, desk.sealer, lock)
        except GroupsMoved:
            continue
    raise Transient("a group moves faster than it can be locked")
