"""`python -m tern_local`: the local stack and what runs on it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from tern_common.errors import TernError
from tern_local import jars
from tern_local.demo.play import demo as play_demo
from tern_local.demo.play import demo_at
from tern_local.folder import Folder
from tern_local.platform import open_platform
from tern_local.stack import open_stack, prepare
from tern_local.welcome import welcome

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)

DATA = Path(".local")
Data = Annotated[Path, typer.Option("--data", help="Where everything is kept.")]
_PARENT_POLL_S = 0.5


def say(line: str) -> None:
    """One plain line for a person."""
    print(f"  · {line}", flush=True)


def play(main: Callable[[], Awaitable[int]], *, when_stopped: int, needs_jars: bool = True) -> None:
    """Runs to the end, or until a signal cancels it; errors that a person can act on are told in plain words."""
    status = 1
    try:
        if needs_jars:
            jars.fetch(say)  # before the loop: it blocks, and a signal must still end it
        status = asyncio.run(_told(main))
    except (asyncio.CancelledError, KeyboardInterrupt):
        status = when_stopped
    except OSError as wrong:
        print(f"\n{wrong}", file=sys.stderr)
    sys.exit(status)


async def _told(main: Callable[[], Awaitable[int]]) -> int:
    """What went wrong, as sentences; from inside a group too."""
    try:
        return await _until_stopped(main)
    except* (TernError, OSError) as wrong:
        for error in _leaves(wrong):
            print(f"\n{error}", file=sys.stderr)
    return 1


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


async def _until_stopped(main: Callable[[], Awaitable[int]]) -> int:
    """Cancelled by a signal (twice: at once), or when the `make` that started this has gone."""
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()

    def stop() -> None:
        say("stopping")
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop)
    parent = os.getppid()

    def look() -> None:
        if os.getppid() != parent:
            stop()
        else:
            loop.call_later(_PARENT_POLL_S, look)

    if "MAKELEVEL" in os.environ:
        look()
    return await main()


@app.command()
def setup() -> None:
    """Fetch what the stack needs and prepare it, once."""

    async def main() -> int:
        await prepare(say)
        return 0

    play(main, when_stopped=130)


@app.command()
def up(data: Data = DATA, *, fast: Annotated[bool, typer.Option(help="No fsync.")] = False) -> None:
    """Start Kafka and PostgreSQL alone, print their addresses, stop on Ctrl-C."""

    async def main() -> int:
        async with Folder(data) as folder, open_stack(folder, say, fast=fast) as stack:
            print(json.dumps({"kafka": stack.kafka.address, "postgres": stack.postgres.address}), flush=True)
            await asyncio.Event().wait()
        return 0

    play(main, when_stopped=0)


@app.command()
def run(data: Data = DATA, *, virtual_clock: Annotated[bool, typer.Option(help="Time can be moved.")] = False) -> None:
    """Start the whole platform, tell where it is, stop it on Ctrl-C; its data stays."""

    async def main() -> int:
        print("Tern is starting", flush=True)
        async with Folder(data) as folder, open_platform(folder, say, virtual_clock=virtual_clock) as platform:
            print(welcome(platform, virtual_clock=virtual_clock), flush=True)
            await asyncio.Event().wait()
        return 0

    play(main, when_stopped=0)


@app.command()
def demo(
    data: Data = DATA / "demo",
    *,
    at: Annotated[
        Path | None, typer.Option(help="run.json of a platform that stands already; else a fresh one.")
    ] = None,
) -> None:
    """Play a story in a shop on a fresh platform, and read its end from Kafka."""

    async def main() -> int:
        return await (demo_at(at) if at else play_demo(data))

    play(main, when_stopped=130, needs_jars=at is None)


@app.command()
def clean(data: Data = DATA) -> None:
    """Forget everything that the local platform stored."""

    async def main() -> int:
        if data.exists():
            async with Folder(data) as folder:
                await folder.wipe()
        print(f"{data} is empty")
        return 0

    play(main, when_stopped=130, needs_jars=False)


if __name__ == "__main__":
    app()
