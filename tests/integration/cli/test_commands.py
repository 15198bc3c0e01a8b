"""Commands that speak to the database and to Kafka themselves."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from support.databases import database as new_database
from tern_cli.__main__ import main
from tern_cli.platform import Session
from tern_common.auth import Tokens
from tern_common.clock import ManualClock
from tern_common.db import open_pool
from tern_common.migrate import migrate

Capture = pytest.CaptureFixture[str]


async def call(session: Session, *arguments: str) -> int:
    """In a thread, since the command starts an event loop of its own."""
    return await asyncio.to_thread(main, arguments, session)


async def test_tokens_are_made_listed_and_revoked(postgres_admin_url: str, tmp_path: Path, capsys: Capture) -> None:
    async with new_database(postgres_admin_url) as url:
        await migrate(url, ["access"], {})
        capsys.readouterr()
        session = Session(environment={"TERN_ADMIN_DATABASE_URL": url}, folder=tmp_path)
        assert await call(session, "tokens", "create", "dashboard", "--role", "pii:read", "--expires-in", "90d") == 0
        text = capsys.readouterr().out.strip()
        pool = await open_pool(url, service="access", size=1)
        caller = await Tokens(pool, ManualClock()).find(text)
        await pool.close()
        assert caller
        assert (caller.role, caller.label) == ("pii:read", "dashboard")
        assert await call(session, "tokens", "list") == 0
        listed = capsys.readouterr().out
        assert listed.startswith(f"{caller.token_id}\tpii:read\tdashboard\t")
        assert text not in listed
        assert await call(session, "tokens", "revoke", caller.token_id) == 0
        assert await call(session, "tokens", "revoke", caller.token_id) == 1
        assert "no live token" in capsys.readouterr().err
        assert await call(session, "--json", "tokens", "create", "x", "--role", "read") == 0
        assert json.loads(capsys.readouterr().out).keys() == {"token_id", "token"}
        assert await call(session, "--json", "tokens", "list") == 0
        assert len(json.loads(capsys.readouterr().out)["tokens"]) == 2
        assert await call(session, "tokens", "create", "x", "--role", "god") == 2
        assert await call(session, "tokens", "create", "x", "--role", "read", "--expires-in", "soon") == 2


async def test_a_database_that_is_away_is_an_exit_code(tmp_path: Path, capsys: Capture) -> None:
    session = Session(environment={"TERN_ADMIN_DATABASE_URL": "postgresql://u:p@127.0.0.1:1/x"}, folder=tmp_path)
    assert await call(session, "tokens", "list") == 3
    assert "u:p" not in capsys.readouterr().err


async def test_topics_are_made_and_checked(kafka_bootstrap: str, tmp_path: Path, capsys: Capture) -> None:
    session = Session(environment={"TERN_KAFKA_BOOTSTRAP": kafka_bootstrap}, folder=tmp_path)
    for _ in range(2):
        assert await call(session, "topics", "create") == 0
    capsys.readouterr()
    assert await call(session, "topics", "check") == 0
    assert "tern.events.v1\t" in capsys.readouterr().out
    assert await call(session, "--json", "topics", "check") == 0
    assert json.loads(capsys.readouterr().out)["faults"] == []
