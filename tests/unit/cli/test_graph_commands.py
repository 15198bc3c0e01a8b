"""Commands that ask for a job and wait for it, against an identity that is a function."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest

from tern_cli.__main__ import main
from tern_cli.commands.identity import graph
from tern_cli.platform import Session

COUNTED = {
    "customers_before": 10,
    "customers_after": 8,
    "merges": 2,
    "splits": 1,
    "enter_quarantine": 3,
    "leave_quarantine": 0,
    "accounts_that_lose_browsers": 1,
    "accounts_that_regain_browsers": 0,
}
SIMULATED = {"counted": COUNTED, "merges": [{"into": "a", "of": ["a", "b"]}], "biggest": [{"size": 7}]}

Capture = pytest.CaptureFixture[str]


class Identity:
    """Takes jobs, and has each done at the third look."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.reports: dict[str, dict[str, Any]] = {"simulate": SIMULATED}
        self.looks = 0
        (folder / ".local").mkdir()
        run = {"identity": "http://identity", "api_token": "tt_1_secret"}
        (folder / ".local/run.json").write_text(json.dumps(run))
        self.policy = folder / "policy.yaml"
        self.policy.write_text("version: 2\nholdoff: 2m\n")
        self.session = Session(environment={}, folder=folder, transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/v1/graph/")
        if request.method == "POST":
            self.asked.append((path, json.loads(request.content)))
            self.looks = 0
            return httpx.Response(202, json=self._job(path, 0.0))
        if path == "jobs":
            return httpx.Response(200, json={"jobs": [self._job("check", 0.25)]})
        self.looks += 1
        return httpx.Response(200, json=self._job(self.asked[-1][0], [0.05, 0.5, 1.0][self.looks - 1]))

    def _job(self, kind: str, progress: float) -> dict[str, Any]:
        ended = progress == 1.0
        report = self.reports.get(kind, {}) if ended else {}
        state = "failed" if "failed" in report else "done" if ended else "running"
        return {
            "job_id": 7,
            "kind": kind,
            "by": "ann",
            "reason": "",
            "at": "2026-03-01T00:00:00Z",
            "state": state,
            "progress": progress,
            "changed": 4,
            "ended_at": "2026-03-01T00:01:00Z" if ended else None,
            "report": report,
        }

    def run(self, *arguments: str) -> int:
        return main(arguments, replace(self.session))


@pytest.fixture
def identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Identity:
    monkeypatch.setattr(graph, "POLL_S", 0.0)
    return Identity(tmp_path)


def test_a_simulation_says_what_would_change(identity: Identity, capsys: Capture) -> None:
    assert identity.run("identity", "simulate", str(identity.policy), "--sample", "0.5") == 0
    assert identity.asked == [("simulate", {"rules": {"version": 2, "holdoff": "2m"}, "sample": 0.5})]
    said = capsys.readouterr()
    assert "customers: 10 -> 8\nmerges: 2, splits: 1\ninto quarantine: 3, out of it: 0\n" in said.out
    assert "the biggest customer would have 7 identifiers" in said.out
    assert said.err.splitlines() == [f"simulate (job 7): {share}" for share in ("0%", "50%", "100%")]


def test_what_is_no_policy_is_not_sent(identity: Identity, capsys: Capture) -> None:
    identity.policy.write_text("- version\n")
    assert identity.run("identity", "simulate", str(identity.policy)) == 2
    assert "is no policy" in capsys.readouterr().err
    assert identity.asked == []


def test_a_sample_is_said_to_be_one() -> None:
    lines = list(graph.headline({"sample": 0.1, "estimated": {"merges": 20}, "counted": {"merges": 2}}))
    assert lines[0] == "estimated from 10.0% of the groups:"
    assert "merges: 20, splits: 0" in lines


def test_rules_are_applied_after_a_look_and_a_yes(
    identity: Identity, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", StringIO("n\n"))
    assert identity.run("identity", "apply", str(identity.policy), "--why", "shared phones") == 1
    assert [path for path, _ in identity.asked] == ["simulate"]
    assert identity.run("identity", "apply", str(identity.policy), "--why", "shared phones", "--yes") == 0
    assert identity.asked[-1] == ("apply", {"rules": {"version": 2, "holdoff": "2m"}, "reason": "shared phones"})
    assert "customers: 10 -> 8" in capsys.readouterr().err


def test_a_check_fails_where_there_is_drift(identity: Identity, capsys: Capture) -> None:
    identity.reports["check"] = {"nodes": 3, "drift": {}}
    assert identity.run("identity", "check") == 0
    identity.reports["check"] = {"nodes": 3, "drift": {"core": 1}}
    assert identity.run("identity", "check") == 1
    assert "core: 1" in capsys.readouterr().out


def test_what_could_not_be_done_says_why(identity: Identity, capsys: Capture) -> None:
    identity.reports["reseal"] = {"failed": "a key is missing"}
    assert identity.run("identity", "reseal", "--why", "a new key") == 1
    assert "job 7 could not be done: a key is missing" in capsys.readouterr().err


def test_a_rebuild_is_json_for_programs(identity: Identity, capsys: Capture) -> None:
    assert identity.run("--json", "identity", "rebuild", "--why", "to be sure") == 0
    assert json.loads(capsys.readouterr().out)["changed"] == 4
    assert identity.asked == [("rebuild", {"reason": "to be sure"})]
    assert identity.run("--json", "identity", "simulate", str(identity.policy)) == 0
    assert json.loads(capsys.readouterr().out)["report"] == SIMULATED


def test_jobs_are_listed_with_how_far_they_are(identity: Identity, capsys: Capture) -> None:
    assert identity.run("identity", "jobs") == 0
    assert capsys.readouterr().out == "7\tcheck\trunning\t25%\t4\t2026-03-01T00:00:00Z\tann\t\n"
    assert identity.run("--json", "identity", "jobs") == 0
    assert json.loads(capsys.readouterr().out)["jobs"][0]["job_id"] == 7


def test_people_see_a_bar(identity: Identity, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    assert identity.run("identity", "rebuild", "--why", "to be sure") == 0
    assert "job 7): 0%" not in capsys.readouterr().err


def test_who_interrupts_leaves_the_job_at_work(
    identity: Identity, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted:
        async def sleep(self, _: float) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr(graph, "SystemClock", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        graph.rebuild(Context(identity.session), "to be sure")  # type: ignore[arg-type]
    assert "it goes on without you" in capsys.readouterr().err


class Context:
    def __init__(self, session: Session) -> None:
        self.obj = session
