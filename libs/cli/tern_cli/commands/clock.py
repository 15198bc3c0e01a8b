"""`tern clock`: the virtual clock of a development platform."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console

from tern_cli.clock import PATIENCE_S, HttpDoor, advance, look
from tern_cli.platform import SERVICES, Session
from tern_cli.printing import show_json, show_rows
from tern_common.clock import VirtualClock
from tern_common.durations import parse_span
from tern_common.errors import Misconfigured

app = typer.Typer(no_args_is_help=True, help="The virtual clock of a development platform.")


@app.command()
def show(context: typer.Context) -> None:
    """Show the time, and what each service waits for."""
    session: Session = context.obj
    view = asyncio.run(_look(session))
    if not view and not session.as_json:
        raise Misconfigured("this platform runs on real time: no service has a virtual clock")
    now = _clock(session).now().isoformat()
    if session.as_json:
        show_json({"now": now, "services": view})
    else:
        print(now)
        show_rows(view, ("service", "next", "safe_time"))


@app.command("advance")
def advance_(
    context: typer.Context,
    by: Annotated[timedelta, typer.Argument(parser=parse_span, metavar="TIME", help="Like 90d, 1h30m or 5400s.")],
    patience: Annotated[float, typer.Option(help="Real seconds to wait while nothing moves.")] = PATIENCE_S,
) -> None:
    """Move time on, in lock step: whatever falls due on the way is decided at its own moment."""
    reached = asyncio.run(_advance(context.obj, by, patience))
    if context.obj.as_json:
        show_json({"now": reached.isoformat()})
    else:
        print(reached.isoformat())


async def _advance(session: Session, by: timedelta, patience_s: float) -> datetime:
    console = Console(stderr=True)
    async with _doors(session) as doors:
        with console.status("moving time on") as status:  # shows nothing unless it is a terminal

            def tell(stop: datetime) -> None:
                status.update(f"{stop:%Y-%m-%d %H:%M:%S}")

            return await advance(doors, _clock(session), by, patience_s=patience_s, tell=tell)


async def _look(session: Session) -> list[dict[str, str]]:
    async with _doors(session) as doors:
        view = await look(doors)
    answered = [
        {"service": name, **{part: moment.isoformat() for part, moment in standing._asdict().items() if moment}}
        for name, standing in view.standings.items()
    ]
    return [*answered, *({"service": name, "next": "does not answer"} for name in view.away)]


@asynccontextmanager
async def _doors(session: Session) -> AsyncIterator[list[HttpDoor]]:
    addresses = session.addresses
    headers = {"Authorization": f"Bearer {addresses['api_token']}"}
    async with AsyncExitStack() as stack:
        doors = []
        for service in SERVICES:
            http = httpx.AsyncClient(base_url=addresses[service], headers=headers, transport=session.transport)
            doors.append(HttpDoor(service, await stack.enter_async_context(http)))
        yield doors


def _clock(session: Session) -> VirtualClock:
    return VirtualClock(Path(session.addresses["clock_file"]))
