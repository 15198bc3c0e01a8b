"""How far an import is: a bar on a terminal, a line now and then in a log. On stderr, so that stdout is the report."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bar

from tern_cli.importing.sending import Report
from tern_common.clock import Clock

_EVERY_S = 10.0


class Progress:
    """Of a file of so many bytes. The rate is that since the first part, before which lines were only passed over."""

    def __init__(self, size: int, clock: Clock, console: Console | None = None) -> None:
        self._size = size
        self._clock = clock
        self._console = console or Console(stderr=True)
        self._told_at = clock.monotonic()
        self._first: tuple[float, int, int] | None = None
        self._bar = Bar(
            BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"), console=self._console, transient=True
        )
        self._task = self._bar.add_task("", total=size)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show(self, report: Report) -> None:
        """Shows how far it is, if it is time to."""
        now = self._clock.monotonic()
        said = self._sentence(report, now)
        if self._console.is_terminal:
            self._bar.update(self._task, completed=report.place, description=said)
        elif now - self._told_at >= _EVERY_S:
            self._told_at = now
            self._console.print(said, soft_wrap=True)

    def _sentence(self, report: Report, now: float) -> str:
        said = f"line {report.line:,}: {report.accepted:,} accepted, {report.rejected:,} rejected"
        begun, line, place = self._first = self._first or (now, report.line, report.place)
        seconds, done = now - begun, report.place - place
        if not (seconds and done):
            return said
        left = _clock_face(seconds * (self._size - report.place) / done)
        return f"{said}; {(report.line - line) / seconds:,.0f} lines/s, {left} left"


def _clock_face(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
