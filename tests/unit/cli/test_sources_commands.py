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

Capture = pytest.CaptureFixture[str]


class Ingest:
    """Remembers how the source s1 is to change, and shows it."""

    def __init__(self, folder: Path) -> None:
        self.changes: list[Any] = []
        (folder / ".local").mkdir()
        (folder / ".local/run.json").write_text(json.dumps(RUN))
        self._session = Session(environment={}, folder=folder, transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        assert (request.method, request.url.path) == ("PATCH", "/v1/sources/s1")
        self.changes.append(json.loads(request.content))
        return httpx.Response(200, json={"source_id": "s1"} | self.changes[-1])

    def run(self, *arguments: str) -> int:
        return main(["sources", *arguments], self._session)


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


def test_the_rate_of_a_sources_keys_is_a_number_or_the_policys(ingest: Ingest) -> None:
    assert ingest.run("rate", "s1") == 2
    assert ingest.run("rate", "s1", "50", "--kind", "browser") == 0
    assert ingest.run("rate", "s1", "--kind", "server") == 0
    assert ingest.changes == [{"browser_events_per_s": 50.0}, {"server_events_per_s": None}]
