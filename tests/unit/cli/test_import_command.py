"""`tern import` against ingest's own door on a memory bus: what arrives, what breaks on the way, what is said."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from tern_cli.__main__ import main
from tern_cli.importing.files import Read
from tern_cli.importing.sending import PART_LINES, Report, parts_of
from tern_cli.importing.telling import Progress
from tern_cli.platform import Session
from tern_common.clock import ManualClock
from tern_common.topics import EVENTS_BACKFILL
from unit.ingest.door import SERVER_KEY, FrontDoor

LINE = {"type": "track", "event": "Order Completed", "userId": "u1", "timestamp": "2019-03-01T12:00:00Z"}
TABLE = "email,order_no,total,created_at\nann@example.com,o-1,19.9,2019-03-01\nbob@example.com,o-2,many,2019-03-02\n"
ORDERS = (
    "--map",
    "email=traits.email",
    "--map",
    "order_no=properties.order_id",
    "--map",
    "total=properties.total:number",
    "--type",
    "track",
    "--event",
    "Order Completed",
    "--timestamp",
    "created_at",
)

Capture = pytest.CaptureFixture[str]


class Platform:
    """Ingest on a memory bus, behind a network that may do things with its answers first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.door = FrontDoor()
        self.asked: list[httpx.URL] = []
        self.faults: list[Callable[[], httpx.Response]] = []
        environment = {"TERN_INGEST_URL": "http://ingest", "TERN_WRITE_KEY": SERVER_KEY}
        self.session = Session(environment=environment, folder=folder, transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url)
        answer = asyncio.run(self._forward(request))
        if self.faults and "dry_run" not in request.url.params:
            return self.faults.pop(0)()
        return answer

    async def _forward(self, request: httpx.Request) -> httpx.Response:
        self.door.serve()
        answer = await self.door.client.request(
            request.method, request.url.raw_path.decode(), content=request.content, headers=request.headers
        )
        return httpx.Response(answer.status_code, content=answer.content)

    def run(self, name: str, content: bytes | str, *options: str, as_json: bool = False) -> int:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return main([*(["--json"] if as_json else []), "import", str(path), *options], self.session)

    def stored(self) -> list[dict[str, Any]]:
        return [json.loads(record.value) for record in self.door.bus.sent(EVENTS_BACKFILL)]

    def ids(self) -> set[str]:
        return {event["message_id"] for event in self.stored()}


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path)


def ndjson(count: int, **more: object) -> bytes:
    return b"".join(json.dumps({**LINE, "properties": {"n": n}, **more}).encode() + b"\n" for n in range(count))


def broken() -> httpx.Response:
    raise httpx.ReadError("the connection broke")


def silent() -> httpx.Response:
    raise httpx.ReadTimeout("")


def test_lines_arrive_and_the_counts_are_printed(platform: Platform, capsys: Capture) -> None:
    assert platform.run("history.ndjson.gz", gzip.compress(ndjson(3))) == 0
    assert capsys.readouterr().out == "accepted: 3\nrejected: 0\n"
    assert len(platform.stored()) == 3


def test_a_table_arrives_as_its_mapping_says_and_bad_rows_are_shown(platform: Platform, capsys: Capture) -> None:
    assert platform.run("orders.csv", TABLE, *ORDERS) == 1
    (event,) = platform.stored()
    assert (event["traits"], event["properties"]) == ({"email": "ann@example.com"}, {"order_id": "o-1", "total": 19.9})
    assert "line 2: cell-not-a-number" in capsys.readouterr().out


def test_a_mapping_may_stand_in_a_file(platform: Platform) -> None:
    (platform.folder / "orders.yaml").write_text(
        "type: track\nevent: Order Completed\ntimestamp: created_at\ncolumns:\n  email: traits.email\n"
    )
    assert platform.run("orders.csv", TABLE, "--mapping", str(platform.folder / "orders.yaml")) == 0
    assert len(platform.stored()) == 2


def test_rejected_lines_are_shown_with_reason_and_text_and_the_exit_code_is_1(
    platform: Platform, capsys: Capture
) -> None:
    assert platform.run("h.ndjson", ndjson(2) + b'{"type": "da\\u001bnce"}\n' + ndjson(1), as_json=True) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["line"], said["accepted"], said["rejected"], said["reasons"]) == (4, 3, 1, {"type-unknown": 1})
    assert said["samples"] == [{"line": 3, "reason": "type-unknown", "text": '{"type": "da\\u001bnce"}'}]


def test_each_rejected_line_is_written_where_it_is_wanted(platform: Platform) -> None:
    kept = platform.folder / "rejected.ndjson"
    bad = b'{"type": "d\xc3\xa4nce"}\n'
    platform.run("h.ndjson", ndjson(20) + bad * 30 + ndjson(PART_LINES) + b"\xff\n", "--rejected", str(kept))
    found = [json.loads(line) for line in kept.read_text("utf-8").splitlines()]
    assert found[:30] == [{"line": n, "reason": "type-unknown", "text": '{"type": "dänce"}'} for n in range(21, 51)]
    assert found[30:] == [{"line": PART_LINES + 51, "reason": "not-utf-8", "text": "\ufffd"}]


def test_going_on_goes_on_with_what_was_rejected_and_a_table_names_its_rows(platform: Platform) -> None:
    kept = platform.folder / "rejected.ndjson"
    table = TABLE + "cat@example.com,o-3,7,2019-03-03\n"
    for more in ((), ("--from-line", "2")):
        assert platform.run("o.csv", table, *ORDERS, "--rejected", str(kept), *more) == 1
    assert [json.loads(line)["reason"] for line in kept.read_text().splitlines()] == ["cell-not-a-number"] * 2


def test_what_was_rejected_must_be_writable(platform: Platform, capsys: Capture) -> None:
    assert platform.run("h.ndjson", ndjson(1), "--rejected", str(platform.folder)) == 2
    assert str(platform.folder) in capsys.readouterr().err
    assert platform.asked == []


def test_a_dry_run_stores_nothing_and_says_the_same(platform: Platform, capsys: Capture) -> None:
    assert platform.run("h.ndjson", ndjson(2) + b"{}\n", "--dry-run") == 1
    assert "would be accepted: 2" in capsys.readouterr().out
    assert platform.run("h.ndjson", ndjson(2), "--dry-run", as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["dry_run"] is True
    assert platform.stored() == []


def test_nothing_is_sent_when_none_of_the_first_lines_would_be_accepted(platform: Platform, capsys: Capture) -> None:
    assert platform.run("h.ndjson", b'{"user": "u1"}\n' * 300 + ndjson(1)) == 1
    said = capsys.readouterr().err
    assert "nothing was sent" in said
    assert 'line 1: type-missing  {"user": "u1"}' in said
    assert (platform.stored(), platform.door.rejected()) == ([], [])


def test_an_import_is_safe_to_run_twice(platform: Platform) -> None:
    for _ in range(2):
        assert platform.run("h.ndjson", ndjson(50)) == 0
    assert (len(platform.stored()), len(platform.ids())) == (100, 50)


def test_a_broken_connection_is_gone_on_with_by_itself(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tern_cli.importing.sending._FIRST_PAUSE_S", 0.001)
    cut_off = httpx.Response(200, content=b'{"line": 3, "accepted": 3, "rejected": 0}\n{"line"')
    ended = httpx.Response(200, json={"line": 3, "accepted": 3, "rejected": 0, "done": False, "code": "x"})
    platform.faults = [
        broken,
        lambda: httpx.Response(503, json={}),
        lambda: cut_off,
        lambda: ended,
        lambda: httpx.Response(408, json={}),
        lambda: httpx.Response(502, content=b""),
    ]
    assert platform.run("h.ndjson", ndjson(PART_LINES + 10)) == 0
    assert len(platform.ids()) == PART_LINES + 10


def test_when_ingest_stays_away_it_says_where_to_go_on(platform: Platform, capsys: Capture) -> None:
    good = httpx.Response(200, json={"line": 1, "accepted": PART_LINES, "reasons": {}, "samples": [], "done": True})
    platform.faults = [lambda: good, broken, broken, broken]
    assert platform.run("h.ndjson", ndjson(PART_LINES + 10), "--patience", "0") == 3
    assert (
        f"all lines up to {PART_LINES} are done with; go on with --from-line {PART_LINES + 1}"
        in capsys.readouterr().err
    )
    platform.asked.clear()
    assert platform.run("h.ndjson", ndjson(PART_LINES + 10), "--from-line", str(PART_LINES + 1)) == 0
    assert {url.params["first_line"] for url in platform.asked} == {str(PART_LINES + 1)}
    assert len(platform.ids()) == PART_LINES + 10


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (
            lambda: httpx.Response(503, json={"message": "lines cannot be stored"}),
            "ingest answers 503: lines cannot be",
        ),
        (lambda: httpx.Response(500, content=b"no json"), "ingest's answer is cut off"),
        (broken, "the connection broke"),
        (silent, "ReadTimeout"),
    ],
)
def test_when_ingest_stays_away_it_says_why(
    platform: Platform, capsys: Capture, fault: Callable[[], httpx.Response], why: str
) -> None:
    platform.faults = [fault]
    assert platform.run("h.ndjson", ndjson(1), "--patience", "0") == 3
    assert f"ingest does not take lines at http://ingest: {why}" in " ".join(capsys.readouterr().err.split())


def test_an_interruption_says_where_to_go_on(platform: Platform, capsys: Capture) -> None:
    def interrupted() -> httpx.Response:
        raise KeyboardInterrupt

    platform.faults = [interrupted]
    assert platform.run("h.ndjson", ndjson(5)) == 130
    assert "interrupted: all lines up to 0 are done with; go on with --from-line 1" in capsys.readouterr().err


def test_an_import_that_turns_bad_is_ended(platform: Platform, capsys: Capture) -> None:
    assert platform.run("h.ndjson", ndjson(1) + b"{}\n" * 4_000) == 1
    said = capsys.readouterr().err
    assert "nearly all lines are rejected" in said
    assert "all lines up to 1500 are done with" in said


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("h.ndjson", ("--map", "a=userId"), "say --format csv"),
        ("h.csv", ("--type", "track"), "its columns are"),
        ("h.csv", (*ORDERS, "--map", "mail=userId"), "no column 'mail'"),
    ],
)
def test_what_is_wrongly_asked_for_is_said_before_anything_is_sent(
    platform: Platform, capsys: Capture, name: str, options: tuple[str, ...], said: str
) -> None:
    assert platform.run(name, TABLE, *options) == 2
    assert said in capsys.readouterr().err
    assert platform.asked == []


def test_a_key_that_is_refused_is_said_at_once(platform: Platform, capsys: Capture) -> None:
    platform.door.store.keys = []
    assert platform.run("h.ndjson", ndjson(1)) == 1
    assert "401" in capsys.readouterr().err


def test_an_empty_file_is_no_mistake(platform: Platform, capsys: Capture) -> None:
    assert platform.run("h.ndjson", b"") == 0
    assert platform.run("h.csv", TABLE.splitlines()[0], *ORDERS, "--format", "csv") == 0
    assert capsys.readouterr().out == "accepted: 0\nrejected: 0\n" * 2


def test_the_run_file_knows_the_servers_key(tmp_path: Path) -> None:
    (tmp_path / ".local").mkdir()
    run = tmp_path / ".local/run.json"
    run.write_text(json.dumps({"ingest": "http://ingest", "write_keys": {"server": "wk_1", "browser": "wk_2"}}))
    assert Session(environment={}, folder=tmp_path).addresses["write_key"] == "wk_1"
    run.write_text(json.dumps({"write_keys": "none"}))
    assert Session(environment={}, folder=tmp_path).addresses.get("write_key") is None


def test_parts_are_of_so_many_lines_or_bytes() -> None:
    lines = [Read(n + 1, b"x" * 1_000_000, None, n) for n in range(9)]
    assert [[line.number for line in part] for part in parts_of(lines, 3)] == [[3, 4, 5, 6, 7], [8, 9]]


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_says_rate_and_time_left(terminal: bool) -> None:
    clock, console = ManualClock(), Console(record=True, force_terminal=terminal, width=200, stderr=True)
    report = Report()
    with Progress(1_000, clock, console) as progress:
        for line in (0, 100, 200):
            report.line = report.accepted = report.place = line
            asyncio.run(clock.sleep(20))
            progress.show(report)
    said = console.export_text()
    assert "line 200: 200 accepted, 0 rejected; 5 lines/s, 0:02:40 left" in said
