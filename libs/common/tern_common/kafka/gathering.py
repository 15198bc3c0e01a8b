"""When the next convoy leaves after one has landed. Knows no message and no broker."""

from __future__ import annotations

import asyncio

GATHER_S = 0.001
_FULL = 40


class Gathering:
    """Who was just answered is about to send again, and the next convoy takes him along.

    Without it those who wait and those who were just answered take turns for ever, each with a convoy of their own that
    is half as full and costs as much. It waits no longer than 1 ms, for nobody where one alone was answered, and not
    where both together are so many that half of them make a full convoy.
    """

    __slots__ = ("_all_back", "_awaited", "_longest_s")

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._awaited = 0
        self._all_back: asyncio.Future[None] | None = None

    def sent(self, many: int) -> None:
        """So many have sent something."""
        self._awaited -= many
        if self._awaited <= 0:
            self._leave()

    async def again(self, answered: int, waiting: int) -> None:
        """Returns when as many have sent something as were answered. `waiting`: parts of sends."""
        if answered <= 1 or answered + waiting > _FULL:
            return
        loop = asyncio.get_running_loop()
        self._awaited, self._all_back = answered, loop.create_future()
        timer = loop.call_later(self._longest_s, self._leave)
        try:
            await self._all_back
        finally:
            timer.cancel()
            self._all_back = None

    def _leave(self) -> None:
        if self._all_back is not None and not self._all_back.done():
            self._all_back.set_result(None)
