"""Takes the job whose turn it is a chunk further. What every kind of job does with a chunk is its own file's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tern_common.db import connection, snapshot, transaction
from tern_common.errors import Misconfigured, Transient, Unusable
from tern_common.logs import logger
from tern_identity.domain.reading import day_of
from tern_identity.domain.rules import Rules
from tern_identity.store import jobs
from tern_identity.store.jobs import Done, Job
from tern_identity.store.ruleset import Act
from tern_identity.store.walks.checking import checked
from tern_identity.store.walks.compacting import compact
from tern_identity.store.walks.desk import Desk, folded, judged
from tern_identity.store.walks.folding_again import Task
from tern_identity.store.walks.resealing import reseal
from tern_identity.store.walks.simulating import simulated
from tern_identity.store.walks.views import JudgedBlocklist, StoredBlocklist, StoredView, View
from tern_identity.store.walks.walking import Stretch, stretch

_TRIES = 4
"""So often a chunk that meets an error of ours is tried, each time after a pause: most are a moment's."""


class Chores:
    """Does jobs. Several processes may have one each: only one of them works at a time."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._views: dict[int, tuple[View, View]] = {}
        self._in_force: View | None = None
        self._erring: tuple[int, int] | None = None
        self._tries = 0
        self._kinds: dict[str, Callable[[Job], Awaitable[Done]]] = {
            "check": self._check,
            "simulate": self._simulate,
            "apply": self._apply,
            "rebuild": self._rebuild,
            "reseal": self._reseal,
            "compact": self._compact,
        }

    async def plan(self) -> None:
        """Asks for what is to be done every day."""
        await jobs.begin_daily(self._desk.pool, "compact", Act("tern", "every day", self._desk.clock.now()))

    async def step(self) -> Done | None:
        """One chunk of the job whose turn it is; None where there is nothing to do, or another process does it.

        Chunks bear being done twice. A job that cannot be done ends, and its report says why. Raises `Transient`, also
        the first times that a chunk meets an error of ours.
        """
        async with transaction(self._desk.pool) as conn:
            job = await jobs.take(conn)
            if job is None or job.kind not in self._kinds:  # a newer process may know it
                return None
            done = await self._chunk(job)
            await jobs.advance(conn, job, done, self._desk.clock.now())
            return done

    async def _chunk(self, job: Job) -> Done:
        try:
            return await self._kinds[job.kind](job)
        except Transient:
            raise
        except (Misconfigured, Unusable) as wrong:
            return Done(job.last, report={**job.report, "failed": str(wrong)})
        except Exception as wrong:
            if self._may_try_again(job):
                raise Transient(f"a job met an error of ours ({type(wrong).__name__})") from wrong
            logger.error("a job met an error of ours, and ends", exc_info=True, job=job.job_id, kind=job.kind)
            return Done(
                job.last, report={**job.report, "failed": f"error-in-tern: {type(wrong).__name__}, see the log"}
            )

    def _may_try_again(self, job: Job) -> bool:
        """Whether its chunk was tried less often than it may be."""
        chunk = job.job_id, job.cursor
        self._tries = self._tries + 1 if self._erring == chunk else 1
        self._erring = chunk
        return self._tries < _TRIES

    async def _stretch(self, job: Job, size: int) -> Stretch:
        async with connection(self._desk.pool) as conn:
            return await stretch(conn, job.cursor, job.last, size)

    async def _check(self, job: Job) -> Done:
        rules = await self._desk.rules()
        async with snapshot(self._desk.pool) as conn:
            chunk = await stretch(conn, job.cursor, job.last, self._desk.sizes.reading)
            found = await checked(conn, chunk, rules)
            return Done(chunk.upto, report=await found.added_to(job.report, conn))

    async def _simulate(self, job: Job) -> Done:
        views = await self._views_of(job)
        async with snapshot(self._desk.pool) as conn:
            chunk = await stretch(conn, job.cursor, job.last, self._desk.sizes.reading)
            return Done(chunk.upto, report=await simulated(conn, chunk, views, job.asked["sample"], dict(job.report)))

    async def _views_of(self, job: Job) -> tuple[View, View]:
        """What is, and what would be; kept while the job is done, since they remember whom it is dear to ask for."""
        if job.job_id not in self._views:
            candidate = Rules.model_validate(job.asked["rules"])
            live = StoredView(await self._desk.rules(), StoredBlocklist())
            self._views = {job.job_id: (live, View(candidate, JudgedBlocklist(candidate, self._desk.sealer)))}
        return self._views[job.job_id]

    async def _apply(self, job: Job) -> Done:
        chunk = await self._stretch(job, self._desk.sizes.folding)
        rules = await self._desk.rules()
        await judged(self._desk, chunk, rules)
        return await self._fold(Task(chunk, {"kind": "rules", "version": rules.version}))

    async def _rebuild(self, job: Job) -> Done:
        chunk = await self._stretch(job, self._desk.sizes.folding)
        return await self._fold(Task(chunk, {"kind": "rebuild", "job": job.job_id}, mends=True))

    async def _fold(self, task: Task) -> Done:
        rules = await self._desk.rules()
        if self._in_force is None or self._in_force.rules != rules:
            self._in_force = View(rules, StoredBlocklist())
        settled = await folded(self._desk, task, self._in_force)
        return Done(task.chunk.upto, changed=settled.moved, refolds=settled.refolds)

    async def _reseal(self, job: Job) -> Done:
        size = self._desk.sizes.writing
        resealed = await reseal(self._desk.pool, self._desk.sealer, job.cursor, job.last, size)
        return Done(resealed.upto, changed=resealed.values)

    async def _compact(self, job: Job) -> Done:
        async with transaction(self._desk.pool) as conn:
            chunk = await stretch(conn, job.cursor, job.last, self._desk.sizes.writing)
            return Done(chunk.upto, changed=await compact(conn, chunk.strong, chunk.weak, day_of(job.at)))
