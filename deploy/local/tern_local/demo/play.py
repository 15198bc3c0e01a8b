"""Puts the demo on: a fresh platform on a virtual clock, the shop, the subscriber, the doors, the one who tells it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx
from rich.console import Console

from tern_cli.clock import HttpDoor, advance
from tern_common.clock import VirtualClock
from tern_local.demo import story
from tern_local.demo.doors import Doors
from tern_local.demo.shop import Shop
from tern_local.demo.subscriber import Subscriber
from tern_local.demo.telling import Narrator
from tern_local.demo.venue import Venue, of_platform, of_run_file
from tern_local.folder import HOST, Folder
from tern_local.platform import open_platform

_TITLE = "Tern, the bird that always comes back: a story in a shop, in seven people"
_BELOW = """\
Everything here is real but the people and the time: Kafka, PostgreSQL, four services, Segment's SDK.
The clock on the shop's wall is Berlin's; the decision log speaks UTC."""


async def demo(data: Path) -> int:
    """0 when the topics held exactly what they should, 1 when not."""
    narrator = _narrator()
    async with Folder(data) as folder:
        await folder.wipe()
        clock = VirtualClock(folder / "clock")
        clock.move_to(story.opening(clock.now()))
        async with (
            open_platform(folder, narrator.step, fast=True, virtual_clock=True) as platform,
            _stage(of_platform(platform), narrator) as stage,
        ):
            ended_well = await story.play(stage)
    narrator.say(f"  [dim]Played and cleared away. What the processes said is in {folder / 'logs'}.[/]\n")
    return 0 if ended_well else 1


async def demo_at(run_file: Path) -> int:
    """The same on a platform that stands already, on a virtual clock, and has not seen the story before."""
    async with _stage(of_run_file(run_file), _narrator()) as stage:
        await stage.doors.hold_nobody_out()
        return 0 if await story.play(stage) else 1


def _narrator() -> Narrator:
    # Segment's package would ask a proxy for this machine's own addresses.
    os.environ["NO_PROXY"] = ",".join(filter(None, (os.environ.get("NO_PROXY"), HOST)))
    narrator = Narrator(Console())
    narrator.title(_TITLE, _BELOW)
    return narrator


@asynccontextmanager
async def _stage(venue: Venue, narrator: Narrator) -> AsyncIterator[story.Stage]:
    clock = VirtualClock(venue.clock_file)
    headers = {"Authorization": f"Bearer {venue.api_token}"}
    async with AsyncExitStack() as opened:
        doors = []
        for name, address in venue.services.items():
            http = httpx.AsyncClient(base_url=address, headers=headers, timeout=10, trust_env=False)
            doors.append(HttpDoor(name, await opened.enter_async_context(http)))

        async def forward(span: timedelta) -> None:
            await advance(doors, clock, span)

        shop = await opened.enter_async_context(Shop(venue.services["ingest"], venue.write_key, clock))
        subscriber = await opened.enter_async_context(Subscriber(venue.kafka))
        asking = await opened.enter_async_context(httpx.AsyncClient(trust_env=False))
        yield story.Stage(shop, subscriber, Doors(venue, asking), narrator, clock, forward)
