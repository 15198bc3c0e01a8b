"""The stack: Kafka and PostgreSQL, prepared and up. Knows no service of Tern."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tern_common.clock import Clock, SystemClock
from tern_common.errors import Misconfigured
from tern_local import jars
from tern_local.children import Family
from tern_local.folder import Folder
from tern_local.java import find_java
from tern_local.kafka import Kafka
from tern_local.postgres import Postgres
from tern_local.supervisor import Say, Supervisor


@dataclass(frozen=True)
class Stack:
    """A running stack. `kafka.address` is a bootstrap address, `postgres.address` the administrator's URL."""

    folder: Folder
    clock: Clock
    supervisor: Supervisor
    kafka: Kafka
    postgres: Postgres


@asynccontextmanager
async def open_stack(folder: Folder, say: Say, *, fast: bool = False) -> AsyncIterator[Stack]:
    """Starts both, yields when both are ready, stops them on the way out. `fast` is for data nobody will miss.

    Must be entered from the main thread. Raises `Misconfigured`, `Failed`, or OSError when jars cannot be fetched.
    """
    clock = SystemClock()
    java = find_java()
    class_path = jars.fetch(say)
    ports = folder.ports(("kafka", "kafka-controller", "postgres"))
    kafka = Kafka(folder, java, class_path, (ports["kafka"], ports["kafka-controller"]))
    postgres = Postgres(folder, ports["postgres"], fast=fast)
    async with Family(folder, clock) as family:
        stack = Stack(folder, clock, Supervisor(family, clock, say), kafka, postgres)
        await _bring_up(stack, family)
        yield stack
        await stack.supervisor.rest("kafka", "postgres")


async def _bring_up(stack: Stack, family: Family) -> None:
    """Both side by side: first the one-time preparations, then the servers."""
    servers: tuple[Postgres | Kafka, ...] = (stack.postgres, stack.kafka)
    preparing = []
    for server in servers:
        server.configure()
        first_time = server.first_time()
        preparing.append(await family.start(first_time) if first_time else None)
    for server, child in zip(servers, preparing, strict=True):
        if child:
            await family.success(child)
            server.completed()
        await stack.supervisor.start(server)
    for server in servers:
        await stack.supervisor.ready(server)


async def prepare(say: Say) -> None:
    """Fetches the jars and lets Kafka run once to prepare its classes: later starts take half the time."""
    java = find_java()
    class_path = jars.fetch(say)
    prepared = java.prepared(class_path)
    if prepared.exists():
        return
    say("preparing Kafka's classes (once, about ten seconds)")
    clock = SystemClock()
    with tempfile.TemporaryDirectory(prefix="tern-") as temporary:
        async with Folder(Path(temporary)) as folder, Family(folder, clock) as family:
            ports = folder.ports(("kafka", "kafka-controller"))
            kafka = Kafka(folder, java, class_path, (ports["kafka"], ports["kafka-controller"]))
            kafka.configure()
            unfinished = folder / prepared.name
            first_time = kafka.first_time()
            if first_time:
                await family.success(await family.start(first_time))
            kafka.train(unfinished)
            supervisor = Supervisor(family, clock, say)
            await supervisor.start(kafka)
            await supervisor.ready(kafka)
            await supervisor.rest("kafka", patience_s=60)
            if not unfinished.exists():
                raise Misconfigured(f"{java.executable} wrote no cache of prepared classes")
            _move_in(unfinished, prepared)


def _move_in(unfinished: Path, prepared: Path) -> None:
    """Into its place as a whole, also across file systems."""
    near = prepared.with_suffix(".partial")
    near.write_bytes(unfinished.read_bytes())
    near.replace(prepared)
