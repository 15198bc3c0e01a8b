"""What `make run` promises to programs: one file says where everything is, and it is true."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.platform import untraced
from support.waiting import eventually

_SERVICES = {"ingest", "identity", "profile", "triggers"}
_STARTS_S, _STOPS_S = 120, 15


@contextmanager
def running(data: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m tern_local run`, killed at the end unless it has ended."""
    words = [sys.executable, "-m", "tern_local", "run", "--data", str(data)]
    with (data / "out.log").open("ab") as output:
        process = subprocess.Popen(words, stdout=output, stderr=subprocess.STDOUT, env=untraced())
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def facts(data: Path, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """The run file, once it is there."""

    def read() -> dict[str, Any] | None:
        assert process.poll() is None, (data / "out.log").read_text()
        file = data / "run.json"
        return dict(json.loads(file.read_text())) if file.exists() else None

    found = await eventually(read, _STARTS_S, "run.json is written")
    assert found is not None
    return found


async def is_ready(address: str) -> bool:
    """What `/ready` answers."""
    async with httpx.AsyncClient(trust_env=False) as http:
        try:
            return (await http.get(f"{address}/ready")).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


async def test_the_run_file_is_complete_private_rewritten_and_removed(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        before = await facts(tmp_path, process)
        assert set(before) == {*_SERVICES, "kafka", "postgres", "write_keys", "api_token", "pids"}
        assert set(before["write_keys"]) == {"server", "browser"}
        assert set(before["pids"]) == {*_SERVICES, "kafka", "postgres"}
        assert stat.S_IMODE(os.stat(tmp_path / "run.json").st_mode) == 0o600
        assert all([await is_ready(before[name]) for name in sorted(_SERVICES)])

        os.kill(before["pids"]["profile"], signal.SIGKILL)

        async def rewritten() -> bool:
            pids: dict[str, int] = (await facts(tmp_path, process))["pids"]
            return bool(pids["profile"] != before["pids"]["profile"])

        await eventually(rewritten, 30, "run.json names the new process")
        await eventually(lambda: is_ready(before["profile"]), 30, "profile answers again where it was")

        process.send_signal(signal.SIGINT)
        await eventually(lambda: process.poll() is not None, _STOPS_S, "it stops")
        assert process.returncode == 0
        assert "run.json" not in os.listdir(tmp_path)
    with running(tmp_path) as process:
        after = await facts(tmp_path, process)
        assert {**after, "pids": None} == {**before, "pids": None}, "addresses, keys and token survive"


@pytest.mark.parametrize("name", ["secrets.json", "ports.json"])
async def test_cleaning_forgets_everything(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{}")
    done = subprocess.run(  # noqa: ASYNC221
        [sys.executable, "-m", "tern_local", "clean", "--data", str(tmp_path)], capture_output=True, check=False
    )
    assert done.returncode == 0
    assert os.listdir(tmp_path) == ["locks"]
