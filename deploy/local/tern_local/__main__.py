"""`python -m tern_local`: the local stack and what runs on it."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from tern_common.errors import TernError
from tern_local.folder import Folder
from tern_local.stack import open_stack, prepare

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)

Data = Annotated[Path, typer.Option("--data", help="Where everything is kept.")]


def say(line: str) -> None:
    """One plain line for a person."""
    print(f"  · {line}", flush=True)


def play(main: Callable[[asyncio.Event], Awaitable[int]]) -> None:
    """Runs to the end, or until a signal sets the event; errors that a person can act on are told in plain words."""

    async def until_signal() -> int:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        return await main(stop)

    try:
        status = asyncio.run(until_signal())
    except (TernError, OSError) as wrong:
        print(f"\n{wrong}", file=sys.stderr)
        status = 1
    sys.exit(status)


@app.command()
def setup() -> None:
    """Fetch what the stack needs and prepare it, once."""

    async def main(_stop: asyncio.Event) -> int:
        await prepare(say)
        return 0

    play(main)


@app.command()
def up(
    data: Data = Path(".local"),
    *,
    fast: Annotated[bool, typer.Option(help="No fsync: for data that nobody will miss.")] = False,
) -> None:
    """Start Kafka and PostgreSQL alone, print their addresses, stop on Ctrl-C."""

    async def main(stop: asyncio.Event) -> int:
        async with Folder(data) as folder, open_stack(folder, say, fast=fast) as stack:
            print(json.dumps({"kafka": stack.kafka.address, "postgres": stack.postgres.address}), flush=True)
            await stop.wait()
        return 0

    play(main)


if __name__ == "__main__":
    app()
