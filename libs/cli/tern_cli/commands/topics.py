"""`tern topics`: makes and checks the topics of the platform. Straight at Kafka: no service needs to be up."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from tern_cli.growing import Growing, Pace
from tern_cli.platform import Session
from tern_cli.printing import show_json, show_rows
from tern_common.clock import SystemClock
from tern_common.errors import Misconfigured
from tern_common.kafka import kafka_bus
from tern_common.topics import TABLE, Topic, faults

app = typer.Typer(no_args_is_help=True, help="The topics that the services meet on.")


@app.command()
def create(context: typer.Context) -> None:
    """Make the topics that are missing. What exists is left as it is, and must be as declared."""
    _judge(asyncio.run(_shapes(context.obj, make=True)))


@app.command()
def check(context: typer.Context) -> None:
    """Show the topics; fail when one is missing or not as declared."""
    found = asyncio.run(_shapes(context.obj, make=False))
    rows = [{"topic": topic.name, "partitions": topic.partitions, **topic.config} for topic in _declared(found)]
    if context.obj.as_json:
        show_json({"topics": rows, "faults": faults(TABLE, found)})
    else:
        show_rows(rows, ("topic", "partitions", "cleanup.policy", "retention.ms"))
    _judge(found)


@app.command()
def grow(
    context: typer.Context,
    topic: Annotated[str, typer.Argument(help="A topic of the platform, by its full name.")],
    partitions: Annotated[int, typer.Argument(min=1, help="How many partitions it is to have.")],
    quiet: Annotated[
        float, typer.Option(min=0, help="Seconds without a claim: two rounds (TERN_PROGRESS_INTERVAL_MS) or more.")
    ] = Pace().quiet_s,
    settle: Annotated[
        float, typer.Option(min=0, help="Seconds until every client has read its metadata anew: three times its age.")
    ] = Pace().settle_s,
) -> None:
    """Add partitions to a topic while the platform runs. Timed decisions wait for about a minute."""
    asyncio.run(_grow(context.obj, topic, partitions, Pace(quiet, settle)))


async def _grow(session: Session, topic: str, partitions: int, pace: Pace) -> None:
    async with kafka_bus(session.addresses["kafka"], "tern-cli") as bus:
        await Growing(bus, SystemClock(), pace, lambda step: print(step, file=sys.stderr)).grow(topic, partitions)


def _declared(found: dict[str, Topic]) -> list[Topic]:
    return [found[topic.name] for topic in TABLE if topic.name in found]


def _judge(found: dict[str, Topic]) -> None:
    wrong = faults(TABLE, found)
    if wrong:
        raise Misconfigured("\n  ".join(("the topics are not as declared:", *wrong)))


async def _shapes(session: Session, *, make: bool) -> dict[str, Topic]:
    async with kafka_bus(session.addresses["kafka"], "tern-cli") as bus:
        if make:
            await bus.log.create(TABLE)
        return await bus.log.shapes()
