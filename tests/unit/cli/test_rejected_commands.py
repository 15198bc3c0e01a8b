"""`tern rejected`: pages become one answer, and nothing is asked of anybody but ingest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tern_cli.__main__ import main
from tern_cli.platform import Session

GROUP: dict[str, Any] = {
    "reason": "type-missing",
    "source": "shop",
    "service": "ingest",
    "place": "/v1/batch",
    "count": 3,
    "first_at": "2026-03-01T12:00:00Z",
    "last_at": "2026-03-01T13:00:00Z",
    "samples": [{"at": "0/1", "place": "/v1/batch", "bytes": 2, "text": "{}"}],
}
OTHER = {**GROUP, "reason": "type-unknown", "count": 1, "first_at": None, "last_at": None, "samples": []}
ENVIRONMENT = {"TERN_INGEST_URL": "http://ingest", "TERN_API_TOKEN": "tt_a_b"}

Capture = pytest.CaptureFixture[str]


class Ingest:
    """Answers page after page, and keeps what it was asked."""

    def __init__(self, *pages: dict[str, Any]) -> None:
        nexts = [*(f"{n}.0.1" for n in range(len(pages) - 1)), None]
        self._pages = [{**page, "next": cursor} for page, cursor in zip(pages, nexts, strict=True)]
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return httpx.Response(200, json=self._pages[len(self.asked) - 1])

    def run(self, *arguments: str) -> int:
        return main(arguments, Session(ENVIRONMENT, Path("/"), httpx.MockTransport(self)))


def test_groups_of_all_pages_are_put_together_the_largest_first(capsys: Capture) -> None:
    later = {**GROUP, "count": 2, "first_at": "2026-03-01T11:00:00Z", "last_at": "2026-03-01T12:30:00Z"}
    ingest = Ingest({"groups": [OTHER, GROUP]}, {"groups": [later, OTHER]})
    assert ingest.run("rejected", "list", "--since", "2026-03-01T00:00:00Z", "--reason", "x") == 0
    assert capsys.readouterr().out.splitlines() == [
        "5\ttype-missing\tshop\tingest\t/v1/batch\t2026-03-01T11:00:00Z\t2026-03-01T13:00:00Z",
        "2\ttype-unknown\tshop\tingest\t/v1/batch\t\t",
        "type-missing at /v1/batch: {}",
    ]
    first, second = (dict(request.url.params) for request in ingest.asked)
    assert first == {"since": "2026-03-01T00:00:00Z", "reason": "x", "samples": "1"}
    assert second == {**first, "cursor": "0.0.1"}


def test_a_list_as_json(capsys: Capture) -> None:
    assert Ingest({"groups": [GROUP]}).run("--json", "rejected", "list") == 0
    assert json.loads(capsys.readouterr().out) == {"groups": [GROUP]}


def page(accepted: int, **refused: int) -> dict[str, Any]:
    sample = {"at": "0/1", "outcome": "accepted", "mended": "{}"}
    return {"accepted": accepted, "refused": refused, "samples": [sample], "dry_run": False}


def test_a_replay_adds_its_pages_up_and_sends_the_steps_of_file_and_options(tmp_path: Path, capsys: Capture) -> None:
    steps = tmp_path / "mend"
    steps.write_text("rename a b  # as it should have been\n\ndefault type track\n")
    ingest = Ingest(page(2, x=1), page(3, x=1, y=3))
    assert ingest.run("rejected", "replay", "--source", "shop", "--mapping", str(steps), "--map", "remove c") == 0
    assert capsys.readouterr().out.splitlines() == ["5 sent again", "3 refused: y", "2 refused: x"]
    first, second = (json.loads(request.content) for request in ingest.asked)
    assert first == {
        "where": {"source": "shop"},
        "mapping": ["rename a b  # as it should have been", "", "default type track", "remove c"],
        "dry_run": False,
        "cursor": None,
    }
    assert second == {**first, "cursor": "0.0.1"}


def test_a_dry_run_says_what_would_become_of_them_with_the_mended_sample(capsys: Capture) -> None:
    ingest = Ingest(page(2, x=1))
    assert ingest.run("rejected", "replay", "--dry-run") == 0
    assert capsys.readouterr().out.splitlines() == [
        "2 would be accepted",
        "1 would be refused: x",
        "accepted, 0/1: {}",
    ]
    assert json.loads(ingest.asked[0].content)["dry_run"] is True


def test_a_replay_as_json(capsys: Capture) -> None:
    assert Ingest(page(2, x=1)).run("--json", "rejected", "replay") == 0
    assert json.loads(capsys.readouterr().out)["refused"] == {"x": 1}


def test_a_file_that_is_no_text_is_told(tmp_path: Path, capsys: Capture) -> None:
    steps = tmp_path / "mend"
    steps.write_bytes(b"\xff")
    assert Ingest(page(0)).run("rejected", "replay", "--mapping", str(steps)) == 2
    assert "cannot be read as UTF-8 text" in capsys.readouterr().err
