"""One SDK's part in a story: its process, its source and key, what it was told, and what went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from e2e.sdks.doors import Door
from e2e.sdks.said import Call, visit
from e2e.sdks.speakers import Speaker
from e2e.sdks.verdict import Manner, Said, arrived, judge
from support.faulty import BadLine
from support.names import unique
from support.waiting import eventually
from tern_common.clock import SystemClock

DELIVERS_S = 60
CLOCK = SystemClock()


@dataclass
class Talk:
    """What one SDK is to say, and has said. `line`: the bad one to Tern, where there is one."""

    speaker: Speaker
    door: Door
    calls: list[Call]
    line: BadLine | None = None
    source_id: str = ""
    said: list[Said] = field(default_factory=list)
    anonymous_id: str | None = None
    wrong: Exception | None = None

    async def begins(self, browser: str | None, rate: float | None) -> None:
        """Gets a key of its own, and hears whom to speak to. `rate`: events a second that its key may send."""
        sdk, inside = self.speaker.sdk, self.door.inside
        self.source_id = await inside.new_source()
        rates = {"server_events_per_s": rate, "browser_events_per_s": rate}
        await inside.client.patch(f"/v1/sources/{self.source_id}", json=rates, headers=inside.admin)
        _, key = await inside.new_key(self.source_id, "browser" if sdk.browser else "server")
        port = self.line.port if self.line else self.door.port
        to = {"url": f"http://127.0.0.1:{port}", "key": _with_colon(key) if sdk.colon else key, "browser": browser}
        await self.speaker.tell(to)

    async def says(self, part: slice) -> None:
        """Some of its calls, which follow those before."""
        since = CLOCK.now()
        answer = await self.speaker.tell(self.calls[part])
        self.anonymous_id = answer.get("anonymousId")
        self.said += [Said(call, since, CLOCK.now()) for call in self.calls[part]]

    async def moves(self, move: Literal["leave", "return"]) -> None:
        """In a browser: the visitor goes elsewhere, or opens the page anew."""
        await self.speaker.tell(move)

    async def is_heard(self) -> None:
        """Waits until all that it said has arrived."""

        def all_there() -> bool:
            return arrived(self.said, self.door.events[self.source_id])

        await eventually(all_there, DELIVERS_S, f"all {len(self.said)} calls have arrived")

    async def ends(self) -> None:
        """All that it said has arrived, and it has nothing left to say."""
        if self.speaker.sdk.leaves:
            await self.speaker.leave()
            return await self.is_heard()
        await self.is_heard()
        return await self.speaker.leave()

    def judged(self, passed: Mapping[str, int] | None) -> None:
        """Fails unless all that it had to say, and nothing else, is on Kafka."""
        if self.wrong:
            raise AssertionError(f"{self.wrong}; it wrote: {self.speaker.complained()}") from self.wrong
        assert [one.call for one in self.said] == self.calls
        sdk = self.speaker.sdk
        manner = Manner(sdk.own_ids, self.anonymous_id, sdk.late_login)
        judge(self.said, self.door.events[self.source_id], manner, passed)


def new_talk(speaker: Speaker, door: Door, line: BadLine | None) -> Talk:
    """About a visitor of its own, an hour ago: where an SDK takes a time, that is the time."""
    an_hour_ago = CLOCK.now().replace(microsecond=123_000) - timedelta(hours=1)
    calls = visit(unique("zoe"), an_hour_ago)
    return Talk(speaker, door, [call for call in calls if speaker.sdk.aliases or call["type"] != "alias"], line)


async def each(talks: Iterable[Talk], step: Callable[[Talk], Awaitable[None]]) -> None:
    """Takes a step with all of them at once. What goes wrong with one stays its own, and ends its part."""

    async def one(talk: Talk) -> None:
        if talk.wrong is None:
            try:
                await step(talk)
            except (AssertionError, OSError) as wrong:
                talk.wrong = wrong

    await asyncio.gather(*map(one, talks))


def _with_colon(key: str) -> str:
    """As SDKs want it that expect an id and a secret."""
    prefix, key_id, secret = key.split("_", 2)
    return f"{prefix}_{key_id}:{secret}"
