"""The whole platform on one machine: the stack, what it needs once, the four services, and `run.json` that tells where.

Nothing here is for production: one broker, one database, all secrets in one folder.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import httpx

from tern_local import provision
from tern_local.children import Family
from tern_local.folder import Folder, write_private
from tern_local.rules import write_rules
from tern_local.services import NAMES, Service
from tern_local.stack import Stack, open_stack
from tern_local.supervisor import Kept, Say, Supervisor

# A service finishes its requests and its batch; one that hangs must not hold up a person who pressed Ctrl-C.
_SERVICES_STOP_S = 7.0
_INGEST_WORKERS = min(2, os.cpu_count() or 1)


@dataclass(frozen=True)
class Platform:
    """A running platform. `servers` by name: the four services, `kafka` and `postgres`."""

    folder: Folder
    supervisor: Supervisor
    servers: Mapping[str, Kept]
    services: Mapping[str, str]
    kafka: str
    postgres: str
    write_keys: Mapping[str, str]
    api_token: str

    @property
    def run_file(self) -> Path:
        """Where other programs read all of this."""
        return self.folder / "run.json"

    def announce(self) -> None:
        """Writes the run file: whoever reads it finds either all of it or none, and only its owner may."""
        pids = self.supervisor.pids()
        facts = {
            **self.services,
            "kafka": self.kafka,
            "postgres": self.postgres,
            "write_keys": dict(self.write_keys),
            "api_token": self.api_token,
            "pids": {name: pids[name] for name in (*NAMES, "kafka", "postgres")},
        }
        write_private(self.run_file, json.dumps(facts, indent=1) + "\n")


@asynccontextmanager
async def open_platform(
    folder: Folder,
    say: Say,
    *,
    fast: bool = False,
    virtual_clock: bool = False,
    environment: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> AsyncIterator[Platform]:
    """Yields once every service is ready; keeps all processes up meanwhile; stops them on the way out.

    With `virtual_clock`, time is the machine's plus the offset in the folder's file `clock`. `environment`: further
    variables by the name of the service that is to have them. Unless they name other rules, nobody is held out.
    """
    run_file = folder / "run.json"
    run_file.unlink(missing_ok=True)
    async with open_stack(folder, say, fast=fast) as stack, httpx.AsyncClient(trust_env=False) as http:
        clock_file = folder / "clock" if virtual_clock else None
        database = provision.in_database(stack.postgres.address)
        say("Kafka and PostgreSQL are up")
        await _prepare(stack, database)
        services = _services(stack, database, clock_file, http, environment)
        for service in services:
            await stack.supervisor.start(service)
        token = await provision.api_token(stack, database)  # while they start
        for service in services:
            await stack.supervisor.ready(service)
        say("the four services are ready")
        platform = await _platform(stack, database, services, token)
        try:
            async with _kept_up(platform):
                yield platform
        finally:
            run_file.unlink(missing_ok=True)
            await stack.supervisor.rest(*NAMES, patience_s=_SERVICES_STOP_S)


@asynccontextmanager
async def _kept_up(platform: Platform) -> AsyncIterator[None]:
    platform.supervisor.changed = platform.announce
    platform.announce()
    async with asyncio.TaskGroup() as tasks:
        keepers = [tasks.create_task(platform.supervisor.keep(server)) for server in platform.servers.values()]
        try:
            yield
        finally:
            for keeper in keepers:
                keeper.cancel()


async def _prepare(stack: Stack, database: str) -> None:
    await provision.create_database(stack.postgres.address)
    passwords = {f"TERN_{name.upper()}_DB_PASSWORD": stack.folder.secret(f"database_{name}") for name in NAMES}
    async with Family(stack.folder, stack.clock) as family:
        migrating = await family.start(provision.migration({"TERN_ADMIN_DATABASE_URL": database, **passwords}))
        await provision.create_topics(stack.kafka.address)
        await family.success(migrating)


def _services(
    stack: Stack,
    database: str,
    clock_file: Path | None,
    http: httpx.AsyncClient,
    environment: Mapping[str, Mapping[str, str]],
) -> list[Service]:
    ports = stack.folder.ports(NAMES)
    shared = {
        "TERN_DEPLOYMENT": "development",
        "TERN_KAFKA_BOOTSTRAP": stack.kafka.address,
        "TERN_HASH_KEY": stack.folder.secret("hash_key"),
        "TERN_SEALING_KEYS": f"k1:{base64.b64encode(bytes.fromhex(stack.folder.secret('sealing_key'))).decode()}",
        **({"TERN_CLOCK_FILE": str(clock_file)} if clock_file else {}),
    }
    passwords = {name: stack.folder.secret(f"database_{name}") for name in NAMES}
    own = {
        "ingest": {"TERN_INGEST_WORKERS": str(_INGEST_WORKERS)},
        "triggers": {"TERN_RULES_DIR": str(write_rules(stack.folder / "rules"))},
    }
    urls = {name: provision.as_service(database, name, password) for name, password in passwords.items()}
    further = {name: {**own.get(name, {}), **environment.get(name, {})} for name in NAMES}
    return [
        Service(name, ports[name], {**shared, "TERN_DATABASE_URL": urls[name], **further[name]}, http) for name in NAMES
    ]


async def _platform(stack: Stack, database: str, services: list[Service], token: str) -> Platform:
    servers: list[Kept] = [*services, stack.kafka, stack.postgres]
    addresses = {service.name: service.address for service in services}
    return Platform(
        folder=stack.folder,
        supervisor=stack.supervisor,
        servers={server.name: server for server in servers},
        services=addresses,
        kafka=stack.kafka.address,
        postgres=database,
        write_keys=await provision.write_keys(stack.folder, addresses["ingest"], token),
        api_token=token,
    )
