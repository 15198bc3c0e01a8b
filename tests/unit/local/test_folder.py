"""The data folder keeps what must survive, for its owner alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tern_common.clock import ManualClock
from tern_common.errors import Misconfigured
from tern_local.folder import Folder, write_private


def test_a_private_file_is_never_readable_by_others(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    file.write_text("old, and open to all")
    write_private(file, "new")
    assert file.read_text() == "new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_secrets_are_drawn_once_and_kept(tmp_path: Path) -> None:
    async with Folder(tmp_path) as folder:
        first = folder.secret("hash_key")
        assert folder.kept("api_token") is None
        assert folder.keep("api_token", "tt_1") == "tt_1"
    async with Folder(tmp_path) as again:
        assert again.secret("hash_key") == first
        assert again.secret("another") != first
        assert again.kept("api_token") == "tt_1"


async def test_a_second_supervisor_is_refused_in_words_that_help(tmp_path: Path) -> None:
    async with Folder(tmp_path):
        with pytest.raises(Misconfigured, match="in use"):
            async with Folder(tmp_path, ManualClock()):
                raise AssertionError("it was let in")


async def test_wiping_forgets_everything_and_keeps_the_lock(tmp_path: Path) -> None:
    async with Folder(tmp_path) as folder:
        folder.secret("x")
        (tmp_path / "kafka" / "logs").mkdir(parents=True)
        await folder.wipe()
        assert os.listdir(tmp_path) == ["locks"]
        with pytest.raises(Misconfigured):
            await Folder(tmp_path, ManualClock()).__aenter__()


async def test_wiping_waits_for_a_broker_that_outlives_its_killed_supervisor(tmp_path: Path) -> None:
    logs = tmp_path / "kafka" / "logs"

    class Waited(ManualClock):
        async def sleep(self, seconds: float) -> None:
            assert logs.exists()
            os.close(broker)
            await super().sleep(seconds)

    async with Folder(tmp_path, Waited()) as folder:
        broker = await folder.hold("kafka", 0)
        logs.mkdir(parents=True)
        await folder.wipe()
        assert os.listdir(tmp_path) == ["locks"]
        os.close(await folder.hold("kafka", 0))


async def test_what_a_process_that_does_not_end_works_on_is_not_wiped(tmp_path: Path) -> None:
    async with Folder(tmp_path, ManualClock()) as folder:
        broker = await folder.hold("kafka", 0)
        folder.secret("x")
        with pytest.raises(Misconfigured, match="its kafka still runs"):
            await folder.wipe()
        assert folder.kept("x")
        os.close(broker)
