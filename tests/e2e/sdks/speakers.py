"""The SDKs as processes of their own that are told what to say (node/speaking.mjs)."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from support.node import node

TESTS = Path(__file__).parents[2]
LONGEST_LINE = 1024 * 1024
PATIENCE_S = 90


class Sdk(NamedTuple):
    """How one is run, and what it can say.

    `own_ids`: it takes no message ids and times, but makes its own. `leaves`: it sends when its page is left, and hears
    no answer. `colon`: it wants a colon in its write key. `late_login`: what it sends again bears the login of then.
    `keeps`: what it could not send outlives its page.
    """

    name: str
    words: tuple[str, ...]
    browser: bool = False
    own_ids: bool = False
    aliases: bool = True
    leaves: bool = False
    colon: bool = False
    late_login: bool = False
    keeps: bool = False


def _page(name: str, **traits: bool) -> Sdk:
    return Sdk(f"{name}-browser", ("browser.mjs", name), browser=True, own_ids=True, **traits)


SDKS = (
    Sdk("segment-python", ("segment",)),
    Sdk("rudderstack-python", ("rudderstack",)),
    Sdk("segment-node", ("segment.mjs",)),
    Sdk("segment-legacy-node", ("segment_legacy.mjs",)),
    Sdk("rudderstack-node", ("rudderstack.mjs",)),
    Sdk("jitsu-node", ("jitsu.mjs",), own_ids=True, aliases=False, colon=True),
    _page("segment", late_login=True, keeps=True),
    _page("segment_snippet", late_login=True),
    _page("segment_batching"),
    _page("rudderstack", keeps=True),
    _page("rudderstack_beacons", leaves=True),
    _page("jitsu", aliases=False, colon=True),
)


@dataclass
class Speaker:
    """A running SDK."""

    sdk: Sdk
    process: asyncio.subprocess.Process
    complaints: Path

    async def tell(self, line: object) -> dict[str, Any]:
        """Its answer to a line."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(line).encode() + b"\n")
        async with asyncio.timeout(PATIENCE_S):
            answer = await self.process.stdout.readline()
        assert answer, f"{self.sdk.name} has ended: {self.complained()}"
        found: dict[str, Any] = json.loads(answer)
        return found

    def complained(self) -> str:
        """What it wrote to its standard error."""
        return self.complaints.read_text()

    async def leave(self) -> None:
        """Ends its input, and waits for it to end well."""
        assert self.process.stdin
        self.process.stdin.close()
        async with asyncio.timeout(PATIENCE_S):
            status = await self.process.wait()
        assert status == 0, f"{self.sdk.name} ended with {status}: {self.complained()}"


@asynccontextmanager
async def speaking(sdk: Sdk, scripts: Path, complaints: Path) -> AsyncIterator[Speaker]:
    """The SDK as a process, for as long as the block runs."""
    python = [sys.executable, "-m", "e2e.sdks.python_client"]
    command = [node()] if sdk.words[0].endswith(".mjs") else python
    pipe = asyncio.subprocess.PIPE
    with complaints.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *command,
            *sdk.words,
            cwd=scripts,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])},
            stdin=pipe,
            stdout=pipe,
            stderr=stderr,
            limit=LONGEST_LINE,
        )
    try:
        yield Speaker(sdk, process, complaints)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
