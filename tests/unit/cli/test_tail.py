"""`tern tail` against doors that are functions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tern_cli.__main__ import main
from tern_cli.platform import Session
from tern_cli.remedies import ELSEWHERE, REMEDIES, remedy
from tern_cli.watching import Joining, sentence

RUN = {"ingest": "http://ingest", "identity": "http://identity", "api_token": "tt_1_secret"}
SOURCE = {"source_id": "s1", "source": "web shop"}
ACCEPTED = {
    **SOURCE,
    "kind": "accepted",
    "at": "2026-01-31T12:00:00.123456Z",
    "type": "track",
    "name": "Order Completed",
    "user_id": "a***@e***.com",
    "anonymous_id": None,
    "message_id": "m-1",
    "flags": ["test"],
}
REJECTED = {
    **SOURCE,
    "kind": "rejected",
    "at": "2026-01-31T12:00:01Z",
    "type": "trak",
    "name": None,
    "user_id": None,
    "anonymous_id": "a-1",
    "message_id": "m-2",
    "reason": "type-unknown",
    "service": "ingest",
    "place": "/v1/batch",
}
FILED = {"kind": "filed", "source_id": "s1", "message_id": "m-1", "customer_id": "c-1", "shared": False}

Capture = pytest.CaptureFixture[str]


def body(*lines: object) -> bytes:
    told: Iterator[object] = iter(({"kind": "watching"}, *lines))
    return b"\n".join(json.dumps(line).encode() for line in told) + b"\n\n"


class Doors:
    """Both doors; what each was asked stands in `asked`. `leaves_after`: so many answers the run file is gone."""

    def __init__(self, folder: Path) -> None:
        self.asked: dict[str, Any] = {}
        self.leaves_after = 0
        self.ingest = httpx.Response(200, content=body(ACCEPTED, REJECTED))
        self.identity = httpx.Response(200, content=body(FILED))
        self.run_file = folder / ".local/run.json"
        self.run_file.parent.mkdir()
        self.run_file.write_text(json.dumps(RUN))
        self.session = Session(environment={}, folder=folder, transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/sources":
            return httpx.Response(200, json={"sources": [{"source_id": "s1", "name": "web shop"}]})
        assert (request.method, request.url.path) == ("POST", "/v1/tail")
        assert "ann" not in str(request.url)
        self.asked[request.url.host] = json.loads(request.content)
        self.leaves_after -= 1
        if self.leaves_after == 0:
            self.run_file.unlink()
        return self.ingest if request.url.host == "ingest" else self.identity

    def run(self, *arguments: str) -> int:
        return main(["tail", *arguments], self.session)


@pytest.fixture
def doors(tmp_path: Path) -> Doors:
    return Doors(tmp_path)


def test_events_are_shown_with_their_customer_or_why_they_were_not_taken(doors: Doors, capsys: Capture) -> None:
    assert doors.run("--source", "web shop", "--user", "ann@example.com", "--count", "2") == 0
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == '12:00:00.123  web shop  track "Order Completed"  a***@e***.com  accepted, test'
    assert second.strip().endswith("filed under customer c-1")
    assert third.startswith("12:00:01      web shop  trak  anonymous a-1  REJECTED: type-unknown. Use one of")
    assert doors.asked["ingest"] == {"source": "web shop", "event": None, "user": "ann@example.com", "rejected": False}
    assert doors.asked["identity"] == {"source_id": "s1"}


def test_programs_read_a_line_of_json_for_each(doors: Doors, capsys: Capture) -> None:
    assert doors.run("--json", "--count", "2") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["kind"] for line in lines] == ["accepted", "filed", "rejected"]
    assert lines[1]["name"] == "Order Completed"


def test_without_identity_events_are_shown_all_the_same(doors: Doors, capsys: Capture) -> None:
    doors.identity = httpx.Response(503, json={"code": "away", "detail": "the database is away"})
    assert doors.run("--count", "1") == 0
    said = capsys.readouterr()
    assert "accepted" in said.out
    assert "customers are not shown" in said.err


@pytest.mark.parametrize("named", [(), ("--run-file",)])
def test_it_goes_on_when_the_platform_comes_back(
    doors: Doors, named: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """A platform that stops takes its run file with it."""
    monkeypatch.setattr("tern_cli.commands.tail._PAUSE_S", 0.001)
    doors.ingest = httpx.Response(200, content=body(ACCEPTED))
    doors.leaves_after = 2
    options = [*named, str(doors.run_file)] if named else []
    assert main([*options, "tail", "--count", "3"], doors.session) == 0
    assert not doors.run_file.exists()
    assert capsys.readouterr().out.count("Order Completed") >= 3


@pytest.mark.parametrize(("status", "code"), [(404, 1), (503, 3)])
def test_what_ingest_refuses_is_said(doors: Doors, status: int, code: int, capsys: Capture) -> None:
    doors.ingest = httpx.Response(status, json={"code": "unknown-source", "message": "there is no such source"})
    assert doors.run("--source", "nobody's") == code
    assert "there is no such source" in capsys.readouterr().err


def test_a_filing_waits_for_its_event_and_few_are_remembered() -> None:
    joining = Joining(most=1)
    assert list(joining.take(FILED)) == []
    event, filing = joining.take(ACCEPTED)
    assert (event, filing["customer_id"]) == (ACCEPTED, "c-1")
    assert list(joining.take(FILED | {"message_id": "m-8"})) == []
    assert list(joining.take(FILED | {"message_id": "m-9"})) == []
    assert list(joining.take(ACCEPTED | {"message_id": "m-8"})) == [ACCEPTED | {"message_id": "m-8"}]


def test_what_has_no_customer_and_what_was_passed_over_are_said() -> None:
    assert sentence(FILED | SOURCE | {"shared": True}).endswith("filed under nobody: its browser is shared")
    assert "7 records were passed over" in sentence({"kind": "passed-over", "records": 7})
    assert sentence({"kind": "news"}).strip() == "news"
    assert "REJECTED by identity" in sentence(REJECTED | {"service": "identity"})


def test_there_is_a_remedy_for_every_reason_that_ingest_knows() -> None:
    readme = (Path(__file__).parents[3] / "services/ingest/README.md").read_text("utf-8")
    (listed,) = re.findall(r"Reasons of rejected events: (.*?)\.\n", readme, re.DOTALL)
    assert set(re.findall(r"`([a-z0-9-]+)`", listed)) == REMEDIES.keys()
    assert remedy("product-id-missing") == ELSEWHERE
