"""`tern triggers` against services that are a function."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tern_cli.__main__ import main
from tern_cli.platform import Session

ANN = "018f0000-0000-7000-8000-000000000001"
EXPLAINED = {
    "customer_id": ANN,
    "safe_time": {"live": "2026-03-02T13:00:00Z", "all": None},
    "rules": [
        {
            "rule": "cart_abandoned",
            "more": 3,
            "things": [
                {
                    "sentences": ["cart_abandoned about c\x1b[2J:", "It falls due later."],
                    "outlook": {"checks": [{"check": "expiry", "passed": True}, {"check": "consent", "passed": False}]},
                },
                {"sentences": ["cart_abandoned about d:", "Nothing is going on."], "outlook": None},
            ],
        }
    ],
}
DECISION = {"decided_at": "2026-03-02T13:05:00Z", "rule": "cart_abandoned", "step": 0, "outcome": "fired"}

Capture = pytest.CaptureFixture[str]


class Doors:
    """Identity, which knows one e-mail, and triggers. Keeps what each was asked."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        (folder / ".local").mkdir()
        run = {"identity": "http://identity", "triggers": "http://triggers", "api_token": "tt_1_secret"}
        (folder / ".local/run.json").write_text(json.dumps(run))
        self.session = Session(environment={}, folder=folder, transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        sent = json.loads(request.content) if request.content else dict(request.url.params)
        self.asked.append((request.url.path, sent))
        match request.url.path:
            case "/v1/customers/lookup":
                return httpx.Response(200, json={"customer_id": ANN})
            case "/v1/decisions/explain":
                return httpx.Response(200, json=EXPLAINED)
            case _:
                return httpx.Response(200, json={"customer_id": ANN, "decisions": [DECISION]})

    def run(self, *arguments: str) -> int:
        return main(arguments, self.session)


@pytest.fixture
def doors(tmp_path: Path) -> Doors:
    return Doors(tmp_path)


def test_a_customer_is_explained_in_sentences_with_the_checks_in_their_order(doors: Doors, capsys: Capture) -> None:
    assert doors.run("triggers", "explain", ANN) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Safe time: 2026-03-02T13:00:00Z (with history: not known yet).",
        "",
        "cart_abandoned about c\N{REPLACEMENT CHARACTER}[2J:",
        "  It falls due later.",
        "  Checks: expiry passed, consent failed.",
        "",
        "cart_abandoned about d:",
        "  Nothing is going on.",
        "  There is more, and older: 3.",
    ]
    assert doors.asked == [("/v1/decisions/explain", {"customer_id": ANN})]


def test_an_identifier_is_resolved_by_identity_and_never_stands_in_an_address(doors: Doors, capsys: Capture) -> None:
    assert doors.run("--json", "triggers", "explain", "email:ann@example.com", "recall") == 0
    assert json.loads(capsys.readouterr().out) == EXPLAINED
    assert doors.asked == [
        ("/v1/customers/lookup", {"namespace": "email", "value": "ann@example.com"}),
        ("/v1/decisions/explain", {"customer_id": ANN, "rule": "recall"}),
    ]


def test_what_is_neither_an_id_nor_an_identifier_is_a_wrong_call(doors: Doors, capsys: Capture) -> None:
    assert doors.run("triggers", "explain", "ann") == 2
    assert "namespace:value" in capsys.readouterr().err


def test_the_decision_log_is_a_line_a_decision(doors: Doors, capsys: Capture) -> None:
    assert doors.run("triggers", "decisions", ANN, "cart_abandoned", "--since", "2026-03-01T00:00:00Z") == 0
    assert capsys.readouterr().out == "2026-03-02T13:05:00Z\tcart_abandoned\t\t0\t\t\tfired\t\t\t\n"
    asked = {"customer_id": ANN, "rule": "cart_abandoned", "since": "2026-03-01T00:00:00Z", "limit": "100"}
    assert doors.asked == [("/v1/decisions", asked)]


def test_the_decision_log_is_json_for_programs(doors: Doors, capsys: Capture) -> None:
    assert doors.run("--json", "triggers", "decisions", ANN) == 0
    assert json.loads(capsys.readouterr().out)["decisions"] == [DECISION]
