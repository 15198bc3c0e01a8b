"""`tern identity` controls against an identity that is a function."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tern_cli.__main__ import main
from tern_cli.platform import Session

RUN = {"identity": "http://identity", "api_token": "tt_1_secret"}
DONE = {"control_id": 5, "moved": 3, "customers": [{"from": "c-1", "to": "c-2"}]}
WHY = ("--why", "she called")
EMAIL = {"namespace": "email", "value": "ann@example.com"}
PHONE = {"namespace": "phone", "value": "13812345671"}
OPENID = {"namespace": "wechat_openid:wx1", "value": "o-1"}

Capture = pytest.CaptureFixture[str]


class Identity:
    """Remembers what it is asked, and always answers the same."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.answer: Any = DONE
        (folder / ".local").mkdir()
        (folder / ".local/run.json").write_text(json.dumps(RUN))
        self._session = Session(environment={}, folder=folder, transport=httpx.MockTransport(self._respond))

    def _respond(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else None
        self.asked.append((request.method, request.url.raw_path.decode(), body))
        return httpx.Response(200, json=self.answer)

    def run(self, *arguments: str) -> int:
        return main(arguments, replace(self._session))


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    return Identity(tmp_path)


@pytest.mark.parametrize(
    ("words", "sent"),
    [
        (("revert", "m-1"), {"kind": "revert", "merge_id": "m-1"}),
        (
            ("revert", "email:ann@example.com", "phone:13812345671", "--day", "2026-03-01"),
            {"kind": "revert", "a": EMAIL, "b": PHONE, "day": "2026-03-01"},
        ),
        (
            ("split", "email:ann@example.com", "--rest", "phone:13812345671", "--rest", "wechat_openid:wx1:o-1"),
            {"kind": "split", "group": [EMAIL], "rest": [PHONE, OPENID]},
        ),
        (
            ("keep-apart", "email:ann@example.com", "phone:13812345671"),
            {"kind": "cannot-link", "a": EMAIL, "b": PHONE},
        ),
        (("block", "phone:13812345671"), {"kind": "block", "identifier": PHONE}),
        (("allow", "phone:13812345671"), {"kind": "allow", "identifier": PHONE}),
        (
            ("retire", "phone:13812345671", "2026-03-01"),
            {"kind": "retire", "identifier": PHONE, "day": "2026-03-01"},
        ),
        (("erase", "email:ann@example.com", "--yes"), {"kind": "erase", "identifier": EMAIL}),
    ],
    ids=lambda words: words[0] if isinstance(words, tuple) else "",
)
def test_an_act_is_sent_with_its_reason_and_its_outcome_is_told(
    identity: Identity, capsys: Capture, words: tuple[str, ...], sent: dict[str, Any]
) -> None:
    assert identity.run("identity", *words, *WHY) == 0
    assert identity.asked == [("POST", "/v1/controls", {**sent, "reason": "she called"})]
    assert capsys.readouterr().out == "control 5: 3 homes and doors have another customer\nc-1 -> c-2\n"


def test_an_act_without_a_reason_is_not_sent(identity: Identity) -> None:
    assert identity.run("identity", "block", "phone:13812345671") == 2
    assert identity.asked == []


def test_nothing_is_erased_without_yes(identity: Identity, capsys: Capture) -> None:
    assert identity.run("identity", "erase", "email:ann@example.com", *WHY) == 2
    assert "nothing brings" in " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert identity.asked == []


def test_an_undo_names_the_control_and_its_reason(identity: Identity, capsys: Capture) -> None:
    assert identity.run("--json", "identity", "undo", "5", *WHY) == 0
    assert identity.asked == [("POST", "/v1/controls/5/undo", {"reason": "she called"})]
    assert json.loads(capsys.readouterr().out) == DONE


def test_what_was_done_is_listed_with_whom_who_and_why(identity: Identity, capsys: Capture) -> None:
    row = {
        "control_id": 7,
        "kind": "cannot-link",
        "subjects": [EMAIL],
        "rest": [{"namespace": "phone", "value": None}],
        "day": None,
        "by": "Olga (t1)",
        "reason": "she called",
        "at": "2026-03-01T00:00:00Z",
        "undone": {"by": "Oleg (t2)"},
    }
    identity.answer = {"controls": [row, {**row, "control_id": 6, "undone": None, "rest": []}], "next": 6}
    assert identity.run("identity", "controls", "--kind", "cannot-link", "--before", "9") == 0
    assert identity.asked == [("GET", "/v1/controls?kind=cannot-link&before=9", None)]
    told = capsys.readouterr()
    first, second = told.out.splitlines()
    assert first.split("\t")[:3] == ["7", "cannot-link", "email:ann@example.com | phone:(erased)"]
    assert first.endswith("Oleg (t2)")
    assert second.split("\t")[2] == "email:ann@example.com"
    assert "--before 6" in told.err
    identity.answer = {"controls": [], "next": None}
    assert identity.run("--json", "identity", "controls") == 0
    assert json.loads(capsys.readouterr().out) == identity.answer
