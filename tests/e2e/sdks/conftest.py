"""The SDKs' packages, a browser, and an ingest process that can be killed."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from e2e.sdks.doors import Door
from integration.ingest.conftest import SEALING_KEYS, ingest_on
from support.node import node, with_packages
from tern_common import topics

pytest.register_assert_rewrite("e2e.sdks.verdict")

HERE = Path(__file__).parent
NO_CHROMIUM = 3


@pytest.fixture(scope="session")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the scripts, with their packages."""
    folder = tmp_path_factory.mktemp("sdks")
    shutil.copytree(HERE / "browser", folder / "browser")
    return with_packages(HERE / "node", folder / "node")


@pytest.fixture(scope="session")
def browser(scripts: Path) -> Iterator[str | None]:
    """Where a headless Chromium listens; None where there is none to be had, which CI does not accept."""
    command = [node(), "chromium.mjs"]
    with subprocess.Popen(command, cwd=scripts, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        address = process.stdout.readline().decode().strip()
        assert address or (process.wait() == NO_CHROMIUM and "CI" not in os.environ), "Chromium does not start"
        yield address or None
        process.stdin.close()


@pytest.fixture(scope="module")
async def door(
    module_database: str, kafka_bootstrap: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Door]:
    """A running ingest process."""
    settings = {
        "TERN_DATABASE_URL": module_database,
        "TERN_KAFKA_BOOTSTRAP": kafka_bootstrap,
        "TERN_SEALING_KEYS": SEALING_KEYS,
    }
    async with ingest_on(module_database, kafka_bootstrap) as inside:
        await inside.bus.log.create(topics.TABLE)
        found = Door(inside, settings, tmp_path_factory.mktemp("ingest") / "log")
        await found.opens()
        hearing = asyncio.ensure_future(found.hears())
        yield found
        hearing.cancel()
        await asyncio.wait([hearing])
        await found.dies()
