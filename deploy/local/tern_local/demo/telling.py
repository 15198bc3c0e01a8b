"""How the story is told: in colour to a person at a terminal, in plain lines to a file."""

from __future__ import annotations

from datetime import datetime, timedelta

from rich.console import Console

from tern_local.demo.cast import SHOP_ZONE

_WIDTH = 84


class Narrator:
    """Prints. Knows nothing of what it tells."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def title(self, text: str, below: str) -> None:
        self._print(f"\n[bold cyan]{text}[/]\n[dim]{below}[/]")

    def step(self, text: str) -> None:
        """Something that takes a moment, for those who wait."""
        self._print(f"  [dim]· {text}[/]")

    def scene(self, now: datetime, text: str) -> None:
        """A new moment in the shop, by the clock on its wall."""
        moment = f"{now.astimezone(SHOP_ZONE):%A %d %B %Y, %H:%M}"
        self._print(f"\n[bold]{moment}[/] [dim]{'─' * (_WIDTH - len(moment) - 1)}[/]\n{text}")

    def act(self, who: str, does: str) -> None:
        self._print(f"  [green]›[/] [bold]{who}[/] {does}")

    def sent(self, events: int) -> None:
        count = f"{events} event{'s' * (events != 1)}"
        self._print(f"    [dim]{count} sent by segment-analytics-python; Kafka has them all[/]")

    def passing(self, span: timedelta, took_s: float) -> None:
        self._print(f"\n[yellow]»» {spoken(span)} pass[/] [dim](in {took_s:.1f} s)[/]")

    def read(self, topic: str, text: str) -> None:
        self._print(f"  [magenta]✉[/] [bold]{topic}[/]\n    {text}")

    def decided(self, who: str, heading: str, text: str) -> None:
        """Why, or why not, in the platform's own words."""
        self._print(f"  [yellow]?[/] [bold]{who}[/] [dim]{heading}[/]\n    {text}")

    def right(self, text: str) -> None:
        self._print(f"  [green]✔[/] {text}")

    def wrong(self, text: str) -> None:
        self._print(f"  [red]✘ {text}[/]")

    def say(self, text: str) -> None:
        self._print(text)

    def _print(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)


def spoken(span: timedelta) -> str:
    """89 days and 22 hours. Where there are days nobody counts minutes."""
    finest = timedelta(hours=1) if span >= timedelta(days=1) else timedelta(minutes=1)
    rounded = finest * round(span / finest)
    hours, minutes = divmod(rounded.seconds // 60, 60)
    counted = [(rounded.days, "day"), (hours, "hour"), (minutes, "minute")]
    words = [f"{count} {unit}{'s' * (count != 1)}" for count, unit in counted if count]
    return " and ".join(words) or "a moment"
