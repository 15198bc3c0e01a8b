"""Failpoints: harmless unless armed, and then for one death; never in production."""

from __future__ import annotations

import multiprocessing
import re
import signal
from pathlib import Path

import pytest

from tern_common import failpoints
from tern_common.errors import Misconfigured
from tern_common.settings import TroubleSettings, read_settings

POINT = "outbox.sent"


def live(folder: Path, times: int) -> None:
    """A process that passes the point so many times."""
    failpoints.look_in(folder)
    for _ in range(times):
        failpoints.reached(POINT)


def ended(folder: Path, times: int) -> int | None:
    """How it ended."""
    process = multiprocessing.get_context("spawn").Process(target=live, args=(folder, times))
    process.start()
    process.join(30)
    return process.exitcode


def test_an_armed_point_kills_at_the_passing_it_was_armed_for_and_once(tmp_path: Path) -> None:
    (tmp_path / POINT).write_text("3")
    assert ended(tmp_path, 2) == 0
    assert ended(tmp_path, 3) == -signal.SIGKILL
    assert not (tmp_path / POINT).exists()
    assert ended(tmp_path, 3) == 0


def test_without_a_folder_nothing_is_looked_at(tmp_path: Path) -> None:
    failpoints.look_in(None)
    failpoints.reached(POINT)


def test_in_production_nobody_can_be_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TERN_FAILPOINTS", str(tmp_path))
    monkeypatch.delenv("TERN_DEPLOYMENT", raising=False)
    with pytest.raises(Misconfigured, match="TERN_DEPLOYMENT=development"):
        read_settings(TroubleSettings)
    monkeypatch.setenv("TERN_DEPLOYMENT", "development")
    assert read_settings(TroubleSettings).failpoints == tmp_path


def test_every_point_stands_in_the_code_and_no_other() -> None:
    root = Path(failpoints.__file__).parents[3]
    sources = [path for part in ("libs/common", "services") for path in (root / part).rglob("*.py")]
    said = "\n".join(path.read_text() for path in sources if path.name != "failpoints.py")
    assert set(re.findall(r'failpoints\.reached\("([^"]+)"\)', said)) == set(failpoints.POINTS)
