"""Jobs on the graph, done to their end by whoever asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from integration.identity.graph_in_database import KEYS, Graphs
from tern_common.db import transaction
from tern_common.sealing import Sealer
from tern_identity.domain.rules import Rules
from tern_identity.store import jobs
from tern_identity.store.jobs import Job, Jobs, Kind
from tern_identity.store.ruleset import Act
from tern_identity.store.tally import UNTOLD, Tally
from tern_identity.store.walks.desk import Desk, Sizes
from tern_identity.store.walks.steps import Chores

SMALL = Sizes(folding=3, reading=4, writing=5)
"""So that groups begin in one chunk and end in others."""


def act(reason: str = "a test") -> Act:
    return Act("ann", reason, KEYS.clock.now())


def chores(graphs: Graphs, rules: Rules, sealer: Sealer = KEYS.sealer, sizes: Sizes = SMALL) -> Chores:
    return Chores(desk(graphs, rules, sealer, sizes))


def desk(
    graphs: Graphs, rules: Rules, sealer: Sealer = KEYS.sealer, sizes: Sizes = SMALL, tally: Tally = UNTOLD
) -> Desk:
    return Desk(graphs.pool, sealer, KEYS.clock, rules, 0, sizes, tally)


async def ask(graphs: Graphs, kind: Kind, asked: Mapping[str, Any] | None = None) -> Job:
    async with transaction(graphs.pool) as conn:
        return await jobs.begin(conn, kind, act(), asked)


async def finished(graphs: Graphs, work: Chores, job: Job) -> Job:
    """The job at its end."""
    while await work.step() is not None:
        pass
    found = await Jobs(graphs.pool).find(job.job_id)
    assert found is not None
    assert found.ended_at is not None
    return found


async def done(graphs: Graphs, rules: Rules, kind: Kind, asked: Mapping[str, Any] | None = None) -> Job:
    job = await ask(graphs, kind, asked)
    return await finished(graphs, chores(graphs, rules), job)
