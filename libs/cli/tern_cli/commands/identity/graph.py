"""`tern identity simulate`, `apply`, `check`, `rebuild`, `reseal`, `jobs`: work on the whole graph."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from tern_cli.commands.identity.words import Why
from tern_cli.platform import Session
from tern_cli.printing import show_json, show_outline, show_rows
from tern_common.clock import SystemClock
from tern_common.errors import Refused
from tern_common.policy import written_policy

POLL_S = 0.2
_LINE_EVERY = 0.1

Job = Mapping[str, Any]
PolicyFile = Annotated[Path, typer.Argument(metavar="POLICY.yaml", help="The rules, as services/identity/policy.yaml.")]
Sample = Annotated[float, typer.Option(min=0.001, max=1.0, help="The share of the groups to look at.")]


def simulate(context: typer.Context, policy: PolicyFile, sample: Sample = 1.0) -> None:
    """Say what other rules would change: who becomes one, who parts, what goes into quarantine. Changes nothing."""
    session: Session = context.obj
    job = _simulated(session, written_policy(policy), sample)
    if session.as_json:
        show_json(job)
    else:
        print("\n".join(headline(job["report"])))
        show_outline({name: one for name, one in job["report"].items() if name not in ("counted", "estimated")})


def apply(
    context: typer.Context,
    policy: PolicyFile,
    why: Why,
    sample: Sample = 1.0,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Put rules in force, once you have seen what they change."""
    session: Session = context.obj
    rules = written_policy(policy)
    tried = _simulated(session, rules, sample)
    print("\n".join(headline(tried["report"])), file=sys.stderr)
    if not yes:
        typer.confirm("Apply these rules?", abort=True, err=True)
    _show(session, _done(session, "apply", {"rules": rules, "reason": why}))


def check(context: typer.Context) -> None:
    """Compare the live graph with its ledger. Exit code 1 when they differ: `tern identity rebuild` mends it."""
    session: Session = context.obj
    job = _done(session, "check", {})
    _show(session, job)
    if job["report"].get("drift"):
        raise typer.Exit(1)


def rebuild(context: typer.Context, why: Why) -> None:
    """Fold the whole graph from its ledger. Ids stay; only what really moves is published."""
    _show(context.obj, _done(context.obj, "rebuild", {"reason": why}))


def reseal(context: typer.Context, why: Why) -> None:
    """Seal all stored values anew with the current key, so that an old key can be dropped."""
    _show(context.obj, _done(context.obj, "reseal", {"reason": why}))


def jobs(context: typer.Context) -> None:
    """Show the newest jobs on the graph, and how far they are."""
    session: Session = context.obj
    found = session.ask("identity", "GET", "/v1/graph/jobs")
    if session.as_json:
        show_json(found)
    else:
        rows = [{**job, "progress": f"{job['progress']:.0%}"} for job in found["jobs"]]
        show_rows(rows, ("job_id", "kind", "state", "progress", "changed", "at", "by", "reason"))


def headline(report: Mapping[str, Any]) -> Iterator[str]:
    """A simulation in few lines."""
    figures = report.get("estimated") or report.get("counted") or {}
    if "sample" in report:
        yield f"estimated from {report['sample']:.1%} of the groups:"

    def of(name: str) -> int:
        return int(figures.get(name, 0))

    yield f"customers: {of('customers_before')} -> {of('customers_after')}"
    yield f"merges: {of('merges')}, splits: {of('splits')}"
    yield f"into quarantine: {of('enter_quarantine')}, out of it: {of('leave_quarantine')}"
    lose, regain = of("accounts_that_lose_browsers"), of("accounts_that_regain_browsers")
    yield f"accounts that lose their browsers: {lose}, that hold them again: {regain}"
    if biggest := report.get("biggest"):
        yield f"the biggest customer would have {biggest[0]['size']} identifiers"


def _simulated(session: Session, rules: Mapping[str, Any], sample: float) -> Job:
    return _done(session, "simulate", {"rules": rules, "sample": sample})


def _show(session: Session, job: Job) -> None:
    if session.as_json:
        show_json(job)
    else:
        show_outline({name: job[name] for name in ("job_id", "kind", "state", "changed", "report")})


def _done(session: Session, path: str, body: Mapping[str, Any]) -> Job:
    """Asks for a job and waits until it has ended. Raises `Refused` when it could not be done."""
    job: Job = session.ask("identity", "POST", f"/v1/graph/{path}", json=body)
    with _bar(f"{job['kind']} (job {job['job_id']})") as bar:
        while job["ended_at"] is None:
            bar.show(job["progress"])
            asyncio.run(SystemClock().sleep(POLL_S))
            job = session.ask("identity", "GET", f"/v1/graph/jobs/{job['job_id']}")
        bar.show(1.0)
    if job["state"] == "failed":
        raise Refused(409, "job-failed", f"job {job['job_id']} could not be done: {job['report']['failed']}")
    return job


class _Bar(Protocol):
    def show(self, progress: float) -> None: ...


@contextmanager
def _bar(what: str) -> Iterator[_Bar]:
    """Beside the answer, on standard error: a bar on a terminal, otherwise a line now and then. Whoever interrupts it
    leaves the job at work."""
    try:
        if sys.stderr.isatty():
            columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
            with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
                yield _Drawn(progress, what)
        else:
            yield _Lines(what)
    except KeyboardInterrupt:
        print("it goes on without you: look with `tern identity jobs`", file=sys.stderr)
        raise


class _Drawn:
    def __init__(self, progress: Progress, what: str) -> None:
        self._progress = progress
        self._task = progress.add_task(what, total=1.0)

    def show(self, progress: float) -> None:
        self._progress.update(self._task, completed=progress)


class _Lines:
    def __init__(self, what: str) -> None:
        self._what = what
        self._next = 0.0

    def show(self, progress: float) -> None:
        if progress >= self._next:
            print(f"{self._what}: {progress:.0%}", file=sys.stderr)
            self._next = progress + _LINE_EVERY


COMMANDS = (simulate, apply, check, rebuild, reseal, jobs)
