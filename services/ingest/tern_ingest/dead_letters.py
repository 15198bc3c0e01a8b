"""The topic of rejected events, read from its start in pages: bounded in records and in time, whatever its length.

No group, no position: where a page ended stands in its cursor, and so does where the topic ended at the first page, so
that what is rejected meanwhile is for the next reading. Knows no HTTP, and not what letters are read for.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from contextlib import aclosing

from tern_common.bus import Bus, Span
from tern_common.clock import Clock
from tern_common.errors import Refused, Transient
from tern_common.topics import REJECTED
from tern_ingest.domain.letters import Letter, letter

Left = dict[int, Span]
"""Of each partition that is not read to its end: what there is to read."""
Visit = Callable[[Letter], bool]
"""Takes a letter; whether the page has room for more."""

PAGE_S = 5.0
LETTERS_READ = 20_000
"""The most that a page reads."""
_AT_ONCE = 200
"""Letters, before others get their turn: a fetch has thousands, and would hold up live requests."""
_PART = r"\d{1,6}\.\d{1,18}\.\d{1,18}"
CURSOR = rf"^{_PART}(_{_PART})*$"
_CURSOR = re.compile(CURSOR, re.ASCII)


class DeadLetters:
    """One for a process. Each page opens a connection of its own."""

    def __init__(self, bus: Bus, clock: Clock, page_s: float = PAGE_S) -> None:
        self._bus = bus
        self._clock = clock
        self._page_s = page_s

    async def read(self, cursor: str | None, visit: Visit) -> str | None:
        """Visits letters, in order within a partition. Returns where to go on; None when all are visited.

        Raises `Transient` when nothing could be read in time, and `Refused` 400 for a cursor that is none.
        """
        ends = await self._bus.log.ends(REJECTED)
        starts = await self._bus.log.starts(REJECTED)
        left = {partition: Span(0, end) for partition, end in ends.items()} if cursor is None else spans(cursor)
        if not left.keys() <= ends.keys():
            raise _no_cursor()
        left = _to_read(left, starts, ends)
        begun = {partition: left[partition].start if partition in left else end for partition, end in ends.items()}
        before = dict(left)
        try:
            async with asyncio.timeout(self._page_s):
                await self._visit(begun, left, visit)
        except TimeoutError:
            if left == before:
                raise Transient("the topic of rejected events could not be read in time") from None
        return written(left) if left else None

    async def _visit(self, begun: Mapping[int, int], left: Left, visit: Visit) -> None:
        """Takes from `left` what was visited."""
        if not left:
            return
        visited = 0
        async with aclosing(self._bus.tail(REJECTED, starts=begun)) as records:
            async for record in records:
                visited += 1
                if visited % _AT_ONCE == 0:
                    await self._clock.sleep(0)
                span = left.get(record.partition)
                if span is None:
                    continue
                more = record.offset >= span.end or visit(letter(record))
                if record.offset + 1 >= span.end:
                    del left[record.partition]
                else:
                    left[record.partition] = Span(record.offset + 1, span.end)
                if not (more and left):
                    return


def spans(cursor: str) -> Left:
    """What a cursor says. Raises `Refused`."""
    if not _CURSOR.match(cursor):
        raise _no_cursor()
    parts = (part.split(".") for part in cursor.split("_"))
    return {int(partition): Span(int(start), int(end)) for partition, start, end in parts}


def written(left: Mapping[int, Span]) -> str:
    """The cursor that says it."""
    return "_".join(f"{partition}.{start}.{end}" for partition, (start, end) in sorted(left.items()))


def _to_read(left: Mapping[int, Span], starts: Mapping[int, int], ends: Mapping[int, int]) -> Left:
    """Without what is not kept any more, and what was never written: nobody would ever come to its end."""
    kept = {
        place: Span(max(start, starts.get(place, 0)), min(end, ends[place])) for place, (start, end) in left.items()
    }
    return {place: span for place, span in kept.items() if span.start < span.end}


def _no_cursor() -> Refused:
    return Refused(400, "bad-cursor", "`cursor` is the `next` of the page before")
