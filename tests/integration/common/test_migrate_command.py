"""`python -m tern_common.migrate`, on a service that is made up for it."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
import structlog

from support.names import unique
from tern_common.migrate import differences, role_of, service_url
from tern_common.migrate.__main__ import ADMIN_URL, main
from tern_common.shipped import shipped

TABLES = """
from sqlalchemy import Column, MetaData, Table, Text

metadata = MetaData(schema="{name}")
Table("thing", metadata, Column("name", Text, primary_key=True))
"""
ENV = """
from tern_common.migrate import run_env
from tern_{name}.tables import metadata

run_env(metadata, "{name}")
"""


class Command:
    """The command in this process: its exit code, and what it logged."""

    def __init__(self, capture: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self._capture = capture
        self._patch = patch
        self.logs = list[dict[str, object]]()

    async def __call__(self, *arguments: str) -> int:
        self._patch.setattr(sys, "argv", ["migrate", *arguments])
        self._capture.readouterr()
        code = await asyncio.to_thread(main)
        lines = self._capture.readouterr().out.splitlines()
        self.logs = [json.loads(line) for line in lines if line.startswith("{")]  # Alembic tells of a file in plain
        return code


@pytest.fixture
def command(
    empty_database: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Command]:
    monkeypatch.setenv(ADMIN_URL, empty_database)
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield Command(capsys, monkeypatch)
    structlog.reset_defaults()
    root.handlers = handlers
    root.setLevel(level)


@pytest.fixture
async def service(tmp_path: Path, empty_database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """An installed service with declared tables and no migration yet."""
    name = unique("made_up").replace("-", "_")
    package = tmp_path / f"tern_{name}"
    (package / "migrations").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "tables.py").write_text(TABLES.format(name=name))
    (package / "migrations" / "env.py").write_text(ENV.format(name=name))
    template = shipped("tern_common.access", "migrations") / "script.py.mako"
    (package / "migrations" / "script.py.mako").write_text(template.read_text())
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    admin = await asyncpg.connect(empty_database)
    await admin.execute(f"DROP OWNED BY {role_of(name)}")
    await admin.execute(f"DROP ROLE {role_of(name)}")
    await admin.close()


async def test_a_written_revision_builds_what_was_declared(
    command: Command, service: str, empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await command(service, "--revision", "first things") == 0
    [written] = (tmp_path / f"tern_{service}" / "migrations" / "versions").glob("*.py")
    assert written.name == "0001_first_things.py"
    monkeypatch.setenv(f"TERN_{service.upper()}_DB_PASSWORD", "secret")
    assert await command(service) == 0
    migrated = {str(one["schema"]): (one["service"], one["after"]) for one in command.logs if "after" in one}
    assert migrated == {"access": ("migrate", "0001"), service: ("migrate", "0001")}
    assert await command(service, "--check") == 0
    owner = await asyncpg.connect(service_url(empty_database, service, "secret"))
    assert await owner.fetchval(f"SELECT count(*) FROM {service}.thing") == 0
    await owner.execute(f"ALTER TABLE {service}.thing ADD COLUMN extra text")
    await owner.close()
    assert await command(service, "--check") == 1
    assert (command.logs[-1]["message"], command.logs[-1]["schema"]) == ("tables are not as declared", service)
    assert len(await differences(empty_database, service)) == 1


async def test_all_is_every_installed_service_that_ships_migrations(command: Command) -> None:
    assert await command("all") == 0
    schemas = {one["schema"] for one in command.logs if one["message"] == "migrated"}
    assert {"access", "ingest", "identity", "profile", "triggers"} <= schemas
    assert await command("all", "--check") == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["unheard_of"], "not installed, or without migrations: unheard_of"),
        (["access", "--admin-url", ""], f"set {ADMIN_URL}, or give --admin-url"),
        (["access", "--passwords-file", "/nowhere"], "/nowhere is not a readable JSON file"),
    ],
)
async def test_what_cannot_begin_ends_with_one_line_that_says_why(
    command: Command, arguments: list[str], words: str
) -> None:
    assert await command(*arguments) == 1
    [line] = command.logs
    assert (line["level"], line["message"], line["why"]) == ("error", "migration failed", words)
