"""Commands against services that are functions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tern_cli.__main__ import main
from tern_cli.platform import Session, find_addresses
from tern_cli.printing import outline
from tern_common.errors import Misconfigured

RUN = {
    "ingest": "http://ingest",
    "identity": "http://identity",
    "profile": "http://profile",
    "triggers": "http://triggers",
    "kafka": "127.0.0.1:1",
    "postgres": "postgresql://127.0.0.1:1/none",
    "write_keys": {"server": "wk_1", "browser": "wk_2"},
    "api_token": "tt_1_secret",
    "pids": {"ingest": 1},
}


class Platform:
    """Answers requests as told and remembers them."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.answers: dict[str, httpx.Response] = {}
        (folder / ".local").mkdir()
        (folder / ".local/run.json").write_text(json.dumps(RUN))
        self.session = Session(environment={}, folder=folder, transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer tt_1_secret"
        body = json.loads(request.content) if request.content else None
        self.asked.append((request.method, str(request.url), body))
        return self.answers.get(request.url.raw_path.decode()) or httpx.Response(404, json={"detail": "Nothing here."})

    def run(self, *arguments: str) -> int:
        return main(arguments, replace(self.session))


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path)


Capture = pytest.CaptureFixture[str]


def test_a_source_is_made_and_its_id_printed_alone(platform: Platform, capsys: Capture) -> None:
    platform.answers["/v1/sources"] = httpx.Response(201, json={"source_id": "s1", "name": "shop", "created_at": "t"})
    assert platform.run("sources", "create", "shop") == 0
    assert capsys.readouterr().out == "s1\n"
    assert platform.asked == [("POST", "http://ingest/v1/sources", {"name": "shop"})]
    assert platform.run("--json", "sources", "create", "shop") == 0
    assert json.loads(capsys.readouterr().out)["name"] == "shop"


def test_lists_are_tab_separated_when_no_person_looks(platform: Platform, capsys: Capture) -> None:
    rows = [{"source_id": "s1", "name": "a\x1b[2Jb", "created_at": None}]
    platform.answers["/v1/sources"] = httpx.Response(200, json={"sources": rows})
    assert platform.run("sources", "list") == 0
    assert capsys.readouterr().out == "s1\ta\N{REPLACEMENT CHARACTER}[2Jb\t\t\n"
    assert platform.run("--json", "sources", "list") == 0
    assert json.loads(capsys.readouterr().out) == {"sources": rows}


def test_lists_are_tables_for_people(platform: Platform, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    platform.answers["/v1/sources"] = httpx.Response(200, json={"sources": [{"source_id": "s1", "name": "shop"}]})
    assert platform.run("sources", "list") == 0
    heading, row = capsys.readouterr().out.splitlines()
    assert heading.split() == ["source", "id", "name", "created", "at", "login", "needs", "token"]
    assert row.split() == ["s1", "shop"]
    platform.answers["/v1/sources"] = httpx.Response(200, json={"sources": []})
    assert platform.run("sources", "list") == 0
    assert capsys.readouterr().out == "none\n"


def test_keys_are_made_listed_and_revoked(platform: Platform, capsys: Capture) -> None:
    platform.answers["/v1/sources/s1/keys"] = httpx.Response(
        201, json={"key_id": "k", "write_key": "wk_k_x", "keys": []}
    )
    platform.answers["/v1/keys/k"] = httpx.Response(204)
    assert platform.run("keys", "create", "s1", "--kind", "browser") == 0
    assert capsys.readouterr().out == "wk_k_x\n"
    assert platform.run("keys", "list", "s1") == 0
    assert platform.run("keys", "revoke", "k") == 0
    assert [(method, sent) for method, _, sent in platform.asked] == [
        ("POST", {"kind": "browser"}),
        ("GET", None),
        ("DELETE", None),
    ]
    for command in (("keys", "create", "s1", "--kind", "server"), ("keys", "list", "s1")):
        assert platform.run("--json", *command) == 0
    assert platform.run("keys", "create", "s1", "--kind", "nobody") == 2


def test_a_trusted_browser_key_says_what_it_means_and_needs_a_yes(platform: Platform, capsys: Capture) -> None:
    made = {"key_id": "k", "write_key": "wk_k_x", "trusted": True, "warning": "Anybody can join customers."}
    platform.answers["/v1/sources/s1/keys"] = httpx.Response(201, json=made)
    create = ("keys", "create", "s1", "--kind")
    assert platform.run(*create, "browser", "--trusted") == 2
    said = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert "can join and part customers" in said
    assert "--yes" in said
    assert platform.asked == []
    assert platform.run(*create, "browser", "--trusted", "--yes") == 0
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("wk_k_x\n", "Anybody can join customers.\n")
    platform.answers["/v1/sources/s1/keys"] = httpx.Response(201, json=made | {"trusted": False, "warning": None})
    for words in (("server", "--untrusted"), ("server", "--trusted"), ("browser", "--untrusted")):
        assert platform.run(*create, *words) == 0
    assert capsys.readouterr().err == ""
    assert [sent for _, _, sent in platform.asked] == [
        {"kind": "browser", "trusted": True},
        {"kind": "server", "trusted": False},
        {"kind": "server", "trusted": True},
        {"kind": "browser", "trusted": False},
    ]


def test_signing_keys_are_made_listed_and_revoked(platform: Platform, capsys: Capture) -> None:
    path = "/v1/sources/s1/user-keys"
    rows = [{"key_id": "k", "created_at": "t", "revoked_at": None}]
    platform.answers[path] = httpx.Response(200, json={"key_id": "k", "user_key": "uk_k_x", "user_keys": rows})
    platform.answers[f"{path}/k"] = httpx.Response(204)
    assert platform.run("sources", "new-user-key", "s1") == 0
    assert platform.run("sources", "user-keys", "s1") == 0
    assert platform.run("sources", "revoke-user-key", "s1", "k") == 0
    assert capsys.readouterr().out == "uk_k_x\nk\tt\t\n"
    assert [(method, url.removeprefix("http://ingest")) for method, url, _ in platform.asked] == [
        ("POST", path),
        ("GET", path),
        ("DELETE", f"{path}/k"),
    ]
    for command in ("new-user-key", "user-keys"):
        assert platform.run("--json", "sources", command, "s1") == 0
        assert json.loads(capsys.readouterr().out)["key_id"] == "k"


def test_a_source_can_ask_for_signed_logins(platform: Platform, capsys: Capture) -> None:
    platform.answers["/v1/sources/s1"] = httpx.Response(200, json={"source_id": "s1", "login_needs_token": True})
    assert platform.run("sources", "logins", "s1") == 2
    assert platform.run("sources", "logins", "s1", "--signed") == 0
    assert platform.run("sources", "logins", "s1", "--any") == 0
    assert [(method, sent) for method, _, sent in platform.asked] == [
        ("PATCH", {"login_needs_token": True}),
        ("PATCH", {"login_needs_token": False}),
    ]


def test_an_identifier_travels_in_the_body(platform: Platform, capsys: Capture) -> None:
    found = {"customer_id": "c1", "identifiers": [{"namespace": "email", "value": "ann@example.com"}], "homes": []}
    for path in ("/v1/customers/lookup", "/v1/profiles/lookup", "/v1/customers/c%2F1"):
        platform.answers[path] = httpx.Response(200, json=found)
    assert platform.run("customer", "email", "ann@example.com") == 0
    assert capsys.readouterr().out.splitlines()[:2] == ["customer_id: c1", "identifiers:"]
    assert platform.run("profile", "email", "ann@example.com") == 0
    assert platform.run("customer", "c/1") == 0
    assert "ann" not in "".join(url for _, url, _ in platform.asked)
    assert platform.run("--json", "customer", "c/1") == 0


def test_decisions_are_asked_by_customer(platform: Platform, capsys: Capture) -> None:
    platform.answers["/v1/decisions?customer_id=c1&rule=recall"] = httpx.Response(200, json={"decisions": []})
    assert platform.run("decisions", "--customer", "c1", "--rule", "recall") == 0


def test_a_services_policy_is_shown_as_it_runs(platform: Platform, capsys: Capture) -> None:
    platform.answers["/v1/policy"] = httpx.Response(200, json={"version": 3, "grace_s": 300})
    assert platform.run("policy", "triggers") == 0
    assert capsys.readouterr().out == "version: 3\ngrace_s: 300\n"
    assert platform.run("policy", "nobody") == 2
    platform.answers.clear()
    assert platform.run("policy", "profile") == 1
    assert "profile has no policy" in capsys.readouterr().err
    platform.answers["/v1/policy"] = httpx.Response(403, json={"detail": "No."})
    assert platform.run("policy", "profile") == 1


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (
            httpx.Response(404, json={"detail": "No such source.", "code": "x"}),
            1,
            "ingest answers 404: No such source.",
        ),
        (httpx.Response(401, json={"code": "unauthorized", "message": "Who?"}), 1, "Who?"),
        (
            httpx.Response(422, json={"detail": "Bad.", "errors": [{"where": "body.name", "why": "short"}]}),
            1,
            "body.name",
        ),
        (httpx.Response(503, json={"detail": "Try again."}), 3, "Try again."),
        (httpx.Response(429), 3, "Too Many Requests"),
        (httpx.Response(500, text="<html>"), 3, "Internal Server Error"),
        (httpx.Response(400, json=[]), 1, "Bad Request"),
    ],
)
def test_a_refusal_is_told_in_the_services_words_and_as_an_exit_code(
    platform: Platform, capsys: Capture, answer: httpx.Response, code: int, said: str
) -> None:
    platform.answers["/v1/sources"] = answer
    assert platform.run("sources", "list") == code
    shown = capsys.readouterr()
    assert shown.err.startswith("tern: ")
    assert said in shown.err
    assert shown.out == ""


def test_a_service_that_is_away_is_named(tmp_path: Path, capsys: Capture) -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    environment = {"TERN_INGEST_URL": "http://ingest", "TERN_API_TOKEN": "tt_1_secret"}
    session = Session(environment=environment, folder=tmp_path, transport=httpx.MockTransport(refuse))
    assert main(["sources", "list"], session) == 3
    assert "ingest does not answer at http://ingest" in capsys.readouterr().err


def test_the_clock_is_shown_with_what_each_service_waits_for(platform: Platform, capsys: Capture) -> None:
    assert platform.run("clock", "show") == 2
    assert "real time" in capsys.readouterr().err
    moment = "2026-01-01T00:00:00+00:00"
    platform.answers["/v1/clock/next"] = httpx.Response(200, json={"next": moment, "safe_time": None})
    assert platform.run("clock", "show") == 0
    assert f"triggers\t{moment}\t" in capsys.readouterr().out
    assert platform.run("--json", "clock", "show") == 0
    assert json.loads(capsys.readouterr().out)["services"][0] == {"service": "ingest", "next": moment}


def test_the_clock_moves_the_platforms_own_file(platform: Platform, capsys: Capture) -> None:
    platform.answers["/v1/clock/next"] = httpx.Response(200, json={"next": None, "safe_time": "9999-01-01T00:00:00Z"})
    assert platform.run("clock", "advance", "90d") == 0
    assert float((platform.session.folder / ".local/clock").read_text()) == pytest.approx(90 * 86_400, abs=60)
    capsys.readouterr()
    assert platform.run("--json", "clock", "advance", "1h") == 0
    assert json.loads(capsys.readouterr().out).keys() == {"now"}
    assert platform.run("clock", "advance", "soon") == 2


def test_the_run_file_is_found_upwards_and_variables_win(platform: Platform, tmp_path: Path) -> None:
    deep = tmp_path / "a/b"
    deep.mkdir(parents=True)
    found = find_addresses(None, {"TERN_PROFILE_URL": "http://mine"}, deep)
    assert (found["ingest"], found["profile"], found.get("write_keys")) == ("http://ingest", "http://mine", None)
    assert found["clock_file"] == str(tmp_path / ".local/clock")
    named = {"TERN_RUN_FILE": str(tmp_path / ".local/run.json")}
    assert find_addresses(None, named, Path("/"))["kafka"] == "127.0.0.1:1"


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_a_broken_run_file_says_so(tmp_path: Path, content: str) -> None:
    file = tmp_path / "run.json"
    file.write_text(content)
    with pytest.raises(Misconfigured, match="run file"):
        find_addresses(file, {}, tmp_path)
    with pytest.raises(Misconfigured, match="run file"):
        find_addresses(tmp_path / "none", {}, tmp_path)


def test_what_is_not_known_says_how_to_give_it(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="TERN_KAFKA_BOOTSTRAP"):
        find_addresses(None, {}, tmp_path)["kafka"]


def test_secrets_are_not_in_a_sessions_repr(platform: Platform) -> None:
    assert "secret" not in repr(platform.session.addresses)


def test_an_outline_leaves_out_what_is_empty() -> None:
    shown = list(outline({"a": None, "b": [], "c": {"d": True, "e": [1, {"f": "x"}]}, "g": 0}))
    assert shown == ["c:", "  d: true", "  e:", "    - 1", "    -", "      f: x", "g: 0"]
    assert list(outline("x")) == ["x"]


def test_help_is_shown_for_every_command(capsys: Capture) -> None:
    commands: list[list[str]] = [[], ["sources"], ["keys"], ["tokens"], ["topics"], ["clock"], ["profile"]]
    for command in commands:
        assert main([*command, "--help"]) == 0
        assert "Usage: tern" in capsys.readouterr().out
