"""`tern sources` against an ingest that is a function."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tern_cli.__main__ import main
from tern_cli.platform import Session

RUN = {"ingest": "http://ingest", "api_token": "tt_1_secret"}
ORIGINS = ["https://a.example", "https://*.b.example"]

QUALITY = {
    "days": [{"day": "2026-01-01", "accepted": 4, "bot_share": 0.25}],
    "rejected": [],
    "refused": [{"reason": "revoked-write-key", "count": 2}],
    "known": [{"event": "Order Completed", "count": 3}],
    "unknown": [{"event": "A\x1b[31m Dream", "count": 1}],
    "faults": [{"event": "Order Completed", "property": "order_id", "fault": "missing", "count": 2, "checked": 3}],
}

Capture = pytest.CaptureFixture[str]


class Ingest:
    """Remembers how the source s1 is to change, and shows it."""

    def __init__(self, folder: Path) -> None:
        self.changes: list[Any] = []
        (folder / ".local").mkdir()
        (folder / ".local/run.json").write_text(json.dumps(RUN))
        self.session = Session(environment={}, folder=folder, transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            assert (request.url.path, request.url.params["days"]) == ("/v1/sources/s1/quality", "2")
            return httpx.Response(200, json=QUALITY)
        assert (request.method, request.url.path) == ("PATCH", "/v1/sources/s1")
        self.changes.append(json.loads(request.content))
        return httpx.Response(200, json={"source_id": "s1"} | self.changes[-1])

    def run(self, *arguments: str) -> int:
        return main(["sources", *arguments], self.session)


@pytest.fixture
def ingest(tmp_path: Path) -> Ingest:
    return Ingest(tmp_path)


def test_the_pages_of_a_source_are_listed_or_all(ingest: Ingest, capsys: Capture) -> None:
    assert ingest.run("pages", "s1") == 2
    assert ingest.run("pages", "s1", *ORIGINS, "--any") == 2
    capsys.readouterr()
    assert ingest.run("pages", "s1", *ORIGINS) == 0
    assert json.loads(capsys.readouterr().out)["origins"] == ORIGINS
    assert ingest.run("pages", "s1", "--any") == 0
    assert ingest.changes == [{"origins": ORIGINS}, {"origins": []}]


def test_whose_orders_are_tests_is_declared(ingest: Ingest) -> None:
    assert ingest.run("testers", "s1") == 2
    assert ingest.run("testers", "s1", "qa@shop.example", "--nobody") == 2
    assert ingest.run("testers", "s1", "qa@shop.example", "@t.example") == 0
    assert ingest.run("testers", "s1", "--nobody") == 0
    assert ingest.changes == [{"testers": ["qa@shop.example", "@t.example"]}, {"testers": []}]


def test_what_is_wrong_with_a_source_is_shown_and_its_words_play_no_tricks(ingest: Ingest, capsys: Capture) -> None:
    assert ingest.run("quality", "s1", "--days", "2") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["days:", "2026-01-01\t4\t\t\t0.25\t\t\t\t\t"]
    assert "rejected: none" in lines
    assert lines[-1] == "Order Completed\torder_id\tmissing\t\t2\t3"
    assert not any("\x1b" in line for line in lines)
    assert main(["--json", "sources", "quality", "s1", "--days", "2"], ingest.session) == 0
    assert json.loads(capsys.readouterr().out) == QUALITY


def test_the_rate_of_a_sources_keys_is_a_number_or_the_policys(ingest: Ingest) -> None:
    assert ingest.run("rate", "s1") == 2
    assert ingest.run("rate", "s1", "50", "--kind", "browser") == 0
    assert ingest.run("rate", "s1", "--kind", "server") == 0
    assert ingest.changes == [{"browser_events_per_s": 50.0}, {"server_events_per_s": None}]
