"""Every SDK, as it comes from PyPI and npm, pointed at a running ingest: what it is given is on Kafka, once.

All of them speak at the same time in each story: nothing happens; every event meets a fault on its way (429, 503, a
connection lost before or after Tern had it); they send faster than they may; Tern is killed and started again in the
middle; a page is left while Tern is away.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from e2e.sdks.doors import Door
from e2e.sdks.speakers import SDKS, Sdk, speaking
from e2e.sdks.talks import Talk, each, new_talk
from support.faulty import FAULTS, bad_line

ALL = slice(None)
PARTS = [slice(start, start + 4) for start in range(0, 16, 4)]
FIRST, REST = slice(7), slice(7, None)
HEARS_ANSWERS = [sdk for sdk in SDKS if not sdk.leaves]
KEEPS = [sdk for sdk in SDKS if sdk.keeps]

Talks = dict[str, Talk]
"""By the SDK's name. Without those in a browser where there is none."""

Begin = Callable[..., AbstractAsyncContextManager[Talks]]


@pytest.fixture(scope="module")
def begin(door: Door, scripts: Path, browser: str | None, tmp_path_factory: pytest.TempPathFactory) -> Begin:
    """Starts SDKs that are to speak at the same time: each over a `bad` line of its own, or at a `rate` of its own."""

    @asynccontextmanager
    async def begun(sdks: Sequence[Sdk], bad: bool = False, rate: float | None = None) -> AsyncIterator[Talks]:
        logs = tmp_path_factory.mktemp("complaints")
        async with AsyncExitStack() as stack:
            talks = {}
            for sdk in sdks:
                if sdk.browser and browser is None:
                    continue
                speaker = await stack.enter_async_context(speaking(sdk, scripts, logs / sdk.name))
                line = await stack.enter_async_context(bad_line(door.port)) if bad else None
                talks[sdk.name] = new_talk(speaker, door, line)
            await each(talks.values(), partial(Talk.begins, browser=browser, rate=rate))
            yield talks
            await each(talks.values(), Talk.ends)
            await door.caught_up()

    return begun


@pytest.fixture(scope="module")
async def quiet(begin: Begin) -> Talks:
    """Nothing happens."""
    async with begin(SDKS) as talks:
        await each(talks.values(), partial(Talk.says, part=ALL))
    return talks


@pytest.fixture(scope="module")
async def faulty(begin: Begin) -> Talks:
    """Every event meets a fault on its way. In parts, so that SDKs that send all that waits at once meet every kind."""
    async with begin(HEARS_ANSWERS, bad=True) as talks:
        for part in PARTS:
            await each(talks.values(), partial(Talk.says, part=part))
            await each(talks.values(), Talk.is_heard)
    return talks


@pytest.fixture(scope="module")
async def limited(begin: Begin, door: Door) -> Talks:
    """They may send ten events at once, and then one a second."""
    async with begin(HEARS_ANSWERS, rate=1) as talks:
        await each(talks.values(), partial(Talk.says, part=ALL))
    assert re.search('route="/v1/batch",status="429"} [1-9]', await door.metrics())
    assert re.search('route="/v1/t",status="429"} [1-9]', await door.metrics())
    return talks


@pytest.fixture(scope="module")
async def restarted(begin: Begin, door: Door) -> Talks:
    """Tern is killed while they speak, and away when they go on."""
    async with begin(HEARS_ANSWERS) as talks:
        await each(talks.values(), partial(Talk.says, part=FIRST))
        await door.dies()
        await asyncio.gather(each(talks.values(), partial(Talk.says, part=REST)), door.opens())
    return talks


@pytest.fixture(scope="module")
async def left(begin: Begin, door: Door) -> Talks:
    """The visitor leaves while Tern is away, and comes back when it is there again."""
    async with begin(KEEPS) as talks:
        await door.dies()
        await each(talks.values(), partial(Talk.says, part=ALL))
        await each(talks.values(), partial(Talk.moves, move="leave"))
        await door.opens()
        await each(talks.values(), partial(Talk.moves, move="return"))
    return talks


@pytest.fixture(scope="module")
async def routes(quiet: Talks, door: Door) -> str:
    """What ingest counted of its routes before it was killed."""
    return await door.metrics()


def of(talks: Talks, sdk: Sdk) -> Talk:
    """Its part."""
    if sdk.name not in talks:
        pytest.skip("no Chromium: npm's package of it does not run on this machine, and none is installed")
    return talks[sdk.name]


def named(sdk: Sdk) -> str:
    """What a test's id says."""
    return sdk.name


@pytest.mark.parametrize("sdk", SDKS, ids=named)
def test_what_an_sdk_is_given_is_on_kafka_once(quiet: Talks, sdk: Sdk) -> None:
    of(quiet, sdk).judged({})


ASKED = {"segment-browser": "/v1/projects/{write_key}/settings", "rudderstack-browser": "/sourceConfig/"}
"""Before they send. Of the others, some bring the answer along."""
POSTED = {
    "segment-node": "/v1/batch",
    "segment-browser": "/v1/t",
    "segment_batching-browser": "/v1/b",
    "rudderstack-browser": "/v1/track",
    "rudderstack_beacons-browser": "/beacon/v1/batch",
    "jitsu-node": "/api/s/s2s/track",
    "jitsu-browser": "/api/s/track",
}


@pytest.mark.parametrize("name", POSTED)
def test_sdks_use_the_paths_that_are_there_for_them(quiet: Talks, routes: str, name: str) -> None:
    of(quiet, next(sdk for sdk in SDKS if sdk.name == name))
    assert re.search(rf'tern_http_requests_total{{method="POST",route="{POSTED[name]}",status="200"}} [1-9]', routes)
    asked = re.escape(ASKED.get(name, ""))
    assert (
        re.search(rf'tern_http_requests_total{{method="GET",route="{asked}",status="200"}} [1-9]', routes) or not asked
    )


@pytest.mark.parametrize("sdk", HEARS_ANSWERS, ids=named)
def test_nothing_is_lost_or_changed_by_429_503_and_lost_connections(faulty: Talks, sdk: Sdk) -> None:
    talk = of(faulty, sdk)
    assert talk.line
    talk.judged(talk.line.passed)
    assert set(talk.line.faults) == set(FAULTS)


@pytest.mark.parametrize("sdk", HEARS_ANSWERS, ids=named)
def test_who_sends_faster_than_its_key_may_waits_and_loses_nothing(limited: Talks, sdk: Sdk) -> None:
    of(limited, sdk).judged({})


@pytest.mark.parametrize("sdk", HEARS_ANSWERS, ids=named)
def test_nothing_is_lost_or_changed_when_tern_restarts(restarted: Talks, sdk: Sdk) -> None:
    of(restarted, sdk).judged(None)


@pytest.mark.parametrize("sdk", KEEPS, ids=named)
def test_what_a_left_page_could_not_send_is_sent_by_the_next(left: Talks, sdk: Sdk) -> None:
    of(left, sdk).judged(None)
