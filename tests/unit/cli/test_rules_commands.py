"""`tern rules`: lint on files alone, the rest through the door of triggers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tern_cli.__main__ import main
from tern_cli.platform import Session

RULE = """\
rule: welcome
kind: event
family: lifecycle
purpose: marketing
channels: [email]
of: {event: Signed Up}
steps:
  - {act: contact, expires_after: 24h}
"""
OFFLINE = Session(environment={}, folder=Path("/"))
SHOWN: dict[str, Any] = {"rule": {"rule": "welcome"}, "version": 2, "mode": "live", "since": "noon", "tag": "2-7"}

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "welcome.yaml"
    path.write_text(RULE)
    return path


def lint(*arguments: object) -> int:
    return main([*map(str, arguments)], replace(OFFLINE))


def test_a_good_rule_is_told_what_follows_from_it_without_any_platform(file: Path, capsys: Capture) -> None:
    assert lint("rules", "lint", file) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{file}: welcome, version 1",
        "  waits for the live lane: it waits for less than a week, and asks nothing of the customer's history",
        "  step 0: at once, in the transaction that stores its event",
        "  reads Signed Up (category, product_id)",
    ]


def test_a_mistake_is_told_with_its_line_and_column(file: Path, capsys: Capture) -> None:
    file.write_text(RULE.replace("channels", "chanels"))
    assert lint("rules", "lint", file) == 1
    assert capsys.readouterr().out == (f"{file}:5:1: error: chanels: there is no such key; did you mean `channels`?\n")


def test_warnings_fail_where_they_are_asked_to(file: Path, capsys: Capture) -> None:
    file.write_text(RULE.replace("Signed Up", "Bell Rung"))
    assert lint("rules", "lint", file) == 0
    assert lint("rules", "lint", "--strict", file) == 1
    assert f"{file}:6:6: warning: of.event: `Bell Rung` is taken for" in capsys.readouterr().out


def test_a_folder_is_checked_as_a_whole(file: Path, capsys: Capture) -> None:
    (file.parent / "again.yaml").write_text(RULE)
    assert lint("rules", "lint", file.parent) == 1
    assert "error: rule welcome stands in two files of one folder" in capsys.readouterr().out


def test_programs_get_json(file: Path, capsys: Capture) -> None:
    wrong = file.parent / "wrong.yaml"
    wrong.write_text("rule: [")
    assert lint("--json", "rules", "lint", file, wrong) == 1
    good, bad = json.loads(capsys.readouterr().out)
    assert (good["rule"], good["findings"], good["told"]["waits_for"]) == ("welcome", [], "live")
    assert (bad["rule"], bad["told"], bad["findings"][0]["line"]) == (None, None, 1)


def test_what_cannot_be_checked_is_a_wrong_call(tmp_path: Path) -> None:
    assert lint("rules", "lint", tmp_path) == 2
    (tmp_path / "bad.yaml").write_bytes(b"\xff")
    assert lint("rules", "lint", tmp_path) == 2
    assert lint("rules", "lint", tmp_path / "none.yaml") == 2


class Door:
    """Triggers, as a function."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str | None]] = []
        self.tags: dict[str, str] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append((request.method, request.url.raw_path.decode(), request.headers.get("if-match")))
        return httpx.Response(200, json=self._answer(request.url.path))

    def _answer(self, path: str) -> Any:
        if path == "/v1/rules":
            rule = {"rule": "welcome", "version": 1, "kind": "event", "family": "lifecycle", "mode": "live"}
            named = {"waits_for": {"welcome": "live"}, "since": {"welcome": "noon"}, "tags": self.tags}
            return {"rules": [rule], **named}
        if path.endswith("/audit"):
            return {"history": [{"at": "noon", "version": 1, "act": "created", "by": "ann", "reason": "why not"}]}
        return SHOWN


@pytest.fixture
def door() -> Door:
    return Door()


def run(door: Door, *arguments: object) -> int:
    environment = {"TERN_TRIGGERS_URL": "http://triggers", "TERN_API_TOKEN": "tt_1_secret"}
    session = Session(environment=environment, folder=Path("/"), transport=httpx.MockTransport(door))
    return main([*map(str, arguments)], session)


def test_rules_are_listed_shown_and_their_history_told(door: Door, capsys: Capture) -> None:
    for arguments in (["list"], ["list", "--retired"], ["show", "welcome"], ["history", "welcome"]):
        assert run(door, "rules", *arguments) == 0
        assert "noon" in capsys.readouterr().out
        assert run(door, "--json", "rules", *arguments) == 0
        json.loads(capsys.readouterr().out)
    assert ("GET", "/v1/rules?retired=true", None) in door.asked


def test_a_new_rule_is_put_as_it_is_written(door: Door, file: Path, capsys: Capture) -> None:
    assert run(door, "rules", "put", file, "--why", "to be nice") == 0
    assert door.asked[-1] == ("PUT", "/v1/rules/welcome?reason=to+be+nice", None)
    assert capsys.readouterr().out == "welcome: version 2, live since noon\n"


def test_an_edit_is_of_the_state_that_was_seen_or_of_the_present_one(door: Door, file: Path) -> None:
    door.tags["welcome"] = "1-3"
    assert run(door, "rules", "put", file, "--why", "to be nice") == 0
    assert door.asked[-1][2] == '"1-3"'
    assert run(door, "rules", "put", file, "--why", "to be nice", "--seen", "1-2") == 0
    assert door.asked[-1][2] == '"1-2"'


def test_a_wrong_rule_is_not_even_sent(door: Door, file: Path, capsys: Capture) -> None:
    file.write_text(RULE.replace("24h", "soon"))
    assert run(door, "rules", "put", file, "--why", "to be nice") == 1
    assert door.asked == []
    assert "write a duration such as" in capsys.readouterr().err


def test_a_mode_is_set_and_a_rule_ended_with_a_reason(door: Door, capsys: Capture) -> None:
    assert run(door, "rules", "mode", "welcome", "live", "--why", "it is time") == 0
    assert ("POST", "/v1/rules/welcome/mode", None) in door.asked
    assert run(door, "--json", "rules", "retire", "welcome", "--why", "enough", "--seen", "2-7") == 0
    assert door.asked[-1] == ("DELETE", "/v1/rules/welcome?reason=enough", '"2-7"')
    assert run(door, "rules", "mode", "welcome", "loud", "--why", "it is time") == 2
