"""The local stack leaves nothing behind, whatever ends it, and starts again at once."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from support.platform import untraced
from support.waiting import eventually
from tern_local.folder import Folder
from tern_local.stack import open_stack

_SERVERS = ("kafka", "postgres")


def quiet(_line: str) -> None:
    pass


@contextmanager
def command(data: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """`python -m tern_local up`, killed at the end."""
    words = [sys.executable, "-m", "tern_local", "up", "--fast", "--data", str(data)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**untraced(), **environment})
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def addresses(process: subprocess.Popen[str]) -> dict[str, str]:
    """What it prints once it is ready."""
    assert process.stdout is not None
    line = next((line for line in process.stdout if line.startswith("{")), None)
    assert line is not None, "it ended before it was ready"
    return dict(json.loads(line))


async def nothing_is_left(data: Path) -> None:
    """Fails unless no process of the stack lives: each holds its lock as long as it does."""
    folder = Folder(data)
    for name in ("supervisor", *_SERVERS):
        os.close(await folder.hold(name, patience_s=10))


@pytest.mark.parametrize("guard", ["kernel", "process"])
async def test_a_killed_supervisor_leaves_nothing_behind_and_data_survives(tmp_path: Path, guard: str) -> None:
    environment = {"TERN_LOCAL_GUARD": "1"} if guard == "process" else {}
    with command(tmp_path, **environment) as process:
        before = addresses(process)
        connection = await asyncpg.connect(before["postgres"])
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        process.kill()
        await nothing_is_left(tmp_path)
        connection.terminate()
    with command(tmp_path, **environment) as process:
        assert addresses(process) == before
        connection = await asyncpg.connect(before["postgres"])
        assert await connection.fetchval("SELECT answer FROM kept") == 42
        await connection.close()
        process.terminate()
        assert process.wait(15) == 0
        await nothing_is_left(tmp_path)


async def test_a_server_that_dies_is_started_again(tmp_path: Path) -> None:
    async with Folder(tmp_path) as folder, open_stack(folder, quiet, fast=True) as stack:
        supervisor, postgres = stack.supervisor, stack.postgres
        before = supervisor.pids()["postgres"]
        # The pid file that it leaves behind names a process that lives: this one.
        pid_file = tmp_path / "postgres" / "data" / "postmaster.pid"
        await supervisor.rest("postgres")
        pid_file.write_text(f"{os.getpid()}\n")
        await supervisor.wake(postgres)
        assert supervisor.pids()["postgres"] != before
        assert await postgres.is_ready()
        await supervisor.rest("kafka")
        assert not await stack.kafka.is_ready()
        await supervisor.wake(stack.kafka)
        await eventually(stack.kafka.is_ready, 10, "Kafka is back")


async def test_a_port_that_was_taken_meanwhile_is_replaced(tmp_path: Path) -> None:
    async with Folder(tmp_path) as folder:
        first = folder.ports(("kafka", "postgres"))
        assert folder.ports(("kafka", "postgres")) == first
        assert all(20000 <= port < 30000 for port in first.values())
        with socket.create_server(("127.0.0.1", first["kafka"])):
            second = folder.ports(("kafka", "postgres"))
        assert second["kafka"] != first["kafka"]
        assert second["postgres"] == first["postgres"]
