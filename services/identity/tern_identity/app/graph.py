"""Work on the whole graph: try rules and apply them, check, rebuild, seal anew. Each is a job that is asked for here,
done chunk by chunk beside the events, and looked at here. Knows no SQL."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from tern_common.auth import Caller
from tern_common.clock import Clock
from tern_common.errors import Refused
from tern_identity.app.words import Operator, Reader, Reason
from tern_identity.domain.rules import Rules
from tern_identity.store.jobs import Job, Jobs, Kind
from tern_identity.store.ruleset import Act

MOST_SHOWN = 200

_UNKNOWN = Refused(404, "unknown-job", "There is no job of this number.")

Number = Annotated[int, Path(ge=1, lt=1 << 63)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SimulateIn(_Body):
    """Rules to try. They need not have a version that is new."""

    rules: Rules = Field(description="The whole of what GET /v1/policy shows, as it would be.")
    sample: float = Field(1.0, gt=0, le=1, description="A share of the groups to look at: figures are then estimates.")


class ApplyIn(_Body):
    """Rules to put in force."""

    rules: Rules = Field(description="The whole of what GET /v1/policy shows, with a higher version.")
    reason: Reason


class WhyIn(_Body):
    """Why it is done."""

    reason: Reason


class JobView(BaseModel):
    """A job as it stands."""

    job_id: int
    kind: Kind
    by: str
    reason: str
    at: datetime
    state: Literal["waiting", "running", "done", "failed"]
    progress: float = Field(description="From 0 to 1.")
    changed: int = Field(description="Homes that it moved, or rows that it wrote or deleted.")
    ended_at: datetime | None
    report: dict[str, Any] = Field(
        description="What it found so far. A check: nodes, homes, owed (groups whose fold is deferred), drift by kind, "
        "examples. A simulation: `counted` (and, of a sample, `estimated`), merges, splits, enter_quarantine, "
        "leave_quarantine and biggest, of which examples are named by customer ids. A job that could not be done: "
        "`failed`, and why."
    )


class JobsView(BaseModel):
    """The newest first."""

    jobs: list[JobView]


def graph_router(jobs: Jobs, clock: Clock) -> APIRouter:
    """`/v1/graph`."""
    router = APIRouter(prefix="/v1/graph", tags=["graph"])
    _rules_routes(router, jobs, clock)
    _upkeep_routes(router, jobs, clock)
    _looking_routes(router, jobs)
    return router


def _act(caller: Caller, reason: str, clock: Clock) -> Act:
    return Act(f"{caller.label} ({caller.token_id})", reason, clock.now())


def _rules_routes(router: APIRouter, jobs: Jobs, clock: Clock) -> None:
    @router.post("/simulate", status_code=202)
    async def simulate(wanted: SimulateIn, caller: Operator) -> JobView:
        """Says what other rules would make of the ledger: merges, splits, quarantine, the biggest customers. Changes
        nothing. Browsers are told of as accounts that would hold none."""
        return view(await jobs.simulate(wanted.rules, wanted.sample, _act(caller, "", clock)))

    @router.post("/apply", status_code=202)
    async def apply(wanted: ApplyIn, caller: Operator) -> JobView:
        """Puts rules in force: for what comes from now on at once, for what was there before group by group."""
        return view(await jobs.apply(wanted.rules, _act(caller, wanted.reason, clock)))


def _upkeep_routes(router: APIRouter, jobs: Jobs, clock: Clock) -> None:
    @router.post("/check", status_code=202)
    async def check(caller: Operator) -> JobView:
        """Compares the live graph with the ledger, while both are in use. Changes nothing."""
        return view(await jobs.begin("check", _act(caller, "", clock)))

    @router.post("/rebuild", status_code=202)
    async def rebuild(wanted: WhyIn, caller: Operator) -> JobView:
        """Folds the whole graph from the ledger: mends whatever a check finds. Ids stay; only what really moves is
        published."""
        return view(await jobs.begin("rebuild", _act(caller, wanted.reason, clock)))

    @router.post("/reseal", status_code=202)
    async def reseal(wanted: WhyIn, caller: Operator) -> JobView:
        """Seals all stored values anew with the current key, so that others can be dropped."""
        return view(await jobs.begin("reseal", _act(caller, wanted.reason, clock)))


def _looking_routes(router: APIRouter, jobs: Jobs) -> None:
    @router.get("/jobs")
    async def newest(_: Reader, limit: Annotated[int, Query(ge=1, le=MOST_SHOWN)] = 20) -> JobsView:
        """The newest jobs."""
        return JobsView(jobs=[view(job) for job in await jobs.newest(limit)])

    @router.get("/jobs/{job_id}")
    async def one(job_id: Number, _: Reader) -> JobView:
        """A job as it stands."""
        job = await jobs.find(job_id)
        if job is None:
            raise _UNKNOWN
        return view(job)


def view(job: Job) -> JobView:
    """As the API shows it."""
    return JobView(
        job_id=job.job_id,
        kind=job.kind,
        by=job.by,
        reason=job.reason,
        at=job.at,
        state=_state(job),
        progress=round(job.progress, 4),
        changed=job.changed,
        ended_at=job.ended_at,
        report=_with_estimates(job.report, job.asked.get("sample", 1.0)),
    )


def _state(job: Job) -> Literal["waiting", "running", "done", "failed"]:
    if "failed" in job.report:
        return "failed"
    if job.ended_at is not None:
        return "done"
    return "running" if job.cursor else "waiting"


def _with_estimates(report: Mapping[str, Any], share: float) -> dict[str, Any]:
    """What was counted in a part, as it may be expected of the whole."""
    counted: Mapping[str, int] = report.get("counted", {})
    if share == 1.0 or not counted:
        return dict(report)
    return {"sample": share, "estimated": {name: round(one / share) for name, one in counted.items()}, **report}
