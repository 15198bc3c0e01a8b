"""`tern doctor` against services that are functions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tern_cli.__main__ import main
from tern_cli.platform import Session
from unit.cli.test_judging import QUALITY, SERVER

SERVICES = ("ingest", "identity", "profile", "triggers")
RUN = {**{name: f"http://{name}" for name in SERVICES}, "api_token": "tt_1_secret"}
SOURCE = {"source_id": "s1", "name": "web shop", "origins": [], "login_needs_token": False}
METRICS = """# HELP tern_http_requests_total Requests answered.
# TYPE tern_http_requests_total counter
tern_http_requests_total{method="POST",route="/v1/batch",status="200"} 90.0
tern_http_requests_total{method="POST",route="/v1/batch",status="401"} 10.0
tern_http_requests_total{method="POST",route="/v1/sources/{source_id}/keys",status="401"} 1e3
tern_http_requests_total{method="GET",route="/v1/projects/{write_key}/settings",status="401"} 1e3
"""
SAFE = """tern_triggers_safe_time_age_seconds{lane="live"} 2.5
tern_triggers_safe_time_age_seconds{lane="backfill"} 9e9
tern_claim_age_seconds{claimer="identity",lane="live"} 0.1
tern_claim_age_seconds{claimer="profile",lane="live"} 0.1
tern_consumer_lag_records{loop="triggers"} 0.0
"""

Capture = pytest.CaptureFixture[str]


class Platform:
    """Four services that are well; `answers`: (service, path) → what one says instead."""

    def __init__(self, folder: Path) -> None:
        self.answers: dict[tuple[str, str], httpx.Response | None] = {}
        (folder / ".local").mkdir()
        (folder / ".local/run.json").write_text(json.dumps(RUN))
        self.session = Session(environment={}, folder=folder, transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        place = request.url.host, request.url.path
        if place in self.answers:
            answer = self.answers[place]
            if answer is None:
                raise httpx.ConnectError("nobody listens")
            return answer
        if request.url.path == "/metrics":
            return httpx.Response(200, text=SAFE if request.url.host == "triggers" else "")
        return httpx.Response(200, json=self._usual(request.url.path))

    def _usual(self, path: str) -> Any:
        return {
            "/ready": {"ready": True, "missing": {}},
            "/v1/sources": {"sources": [SOURCE]},
            "/v1/sources/s1/keys": {"keys": [SERVER]},
            "/v1/sources/s1/quality": QUALITY,
        }[path]

    def run(self, *arguments: str) -> int:
        return main(["doctor", *arguments], self.session)


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path)


def test_it_exits_with_0_when_all_is_well(platform: Platform, capsys: Capture) -> None:
    assert platform.run() == 0
    assert capsys.readouterr().out == "Nothing needs doing.\n"


def test_it_exits_with_1_when_something_needs_doing_and_says_what(platform: Platform, capsys: Capture) -> None:
    platform.answers["ingest", "/metrics"] = httpx.Response(200, text=METRICS)
    assert platform.run("--source", "web shop") == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("WRONG    ingest: 10 of 100 requests since it started showed no write key")
    assert "tern keys list" in second


def test_a_loop_that_stands_still_is_told_by_its_service(platform: Platform, capsys: Capture) -> None:
    """One that stood and goes on is not."""
    told = 'tern_loop_stands_still{loop="profile-backfill"}'
    platform.answers["profile", "/metrics"] = httpx.Response(200, text=f"{told} 1.0\n")
    assert platform.run() == 1
    assert "profile: Its loop profile-backfill stands still" in capsys.readouterr().out
    platform.answers["profile", "/metrics"] = httpx.Response(200, text=f"{told} 0.0\n")
    assert platform.run() == 0


def test_programs_read_json(platform: Platform, capsys: Capture) -> None:
    platform.answers["ingest", "/v1/sources/s1/keys"] = httpx.Response(200, json={"keys": []})
    assert platform.run("--json") == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["well"], [one["about"] for one in said["findings"]]) == (False, ["web shop"])


def test_what_no_door_tells_is_unknown_and_no_mistake(platform: Platform, capsys: Capture) -> None:
    platform.answers["ingest", "/v1/sources"] = httpx.Response(403, json={"code": "forbidden", "message": "no"})
    platform.answers["triggers", "/metrics"] = httpx.Response(404)
    assert platform.run() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:7] for line in lines if line[0] != " "] == ["unknown", "unknown", "Nothing"]
    assert "as far as is known" in lines[-1]


def test_a_service_that_is_away_or_not_ready_is_said(platform: Platform, capsys: Capture) -> None:
    platform.answers["identity", "/ready"] = None
    platform.answers["profile", "/ready"] = httpx.Response(503, json={"ready": False, "missing": {"kafka": "away"}})
    platform.answers["triggers", "/ready"] = httpx.Response(502, text="bad gateway")
    platform.answers["ingest", "/v1/sources/s1/quality"] = httpx.Response(503, json={})
    assert platform.run() == 1
    out = capsys.readouterr().out
    assert "identity: It does not answer." in out
    assert "profile: It is not ready (kafka: away)." in out
    assert "triggers: It does not answer." in out
    assert "web shop: What it sends cannot be known" in out


def test_a_source_that_is_not_there_is_refused(platform: Platform, capsys: Capture) -> None:
    assert platform.run("--source", "nobody's") == 1
    assert "tern sources list" in capsys.readouterr().err


def test_no_platform_at_all_is_said(tmp_path: Path, capsys: Capture) -> None:
    assert main(["doctor"], Session(environment={}, folder=tmp_path)) == 2
    assert "make run" in capsys.readouterr().err
