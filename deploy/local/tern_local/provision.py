"""What a platform needs once before it can be used: database, schemas, topics, a token, a source with its keys."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

import httpx

from tern_common.db import connection, open_pool
from tern_common.kafka import kafka_bus
from tern_common.topics import TABLE
from tern_local.children import Family, Program
from tern_local.folder import Folder
from tern_local.stack import Stack

DATABASE = "tern"
_SOURCE = "local shop"
_KINDS = ("server", "browser")


def in_database(url: str, name: str = DATABASE) -> str:
    """The same server and user, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def as_service(url: str, service: str, password: str) -> str:
    """The same database, by the role that the migrations make for a service. The password needs no quoting."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"tern_{service}:{password}@{parts.hostname}:{parts.port}"))


async def create_database(admin_url: str) -> None:
    """Makes the database, unless it is there."""
    pool = await open_pool(admin_url, service="public", size=1)
    try:
        async with connection(pool) as conn:
            if not await conn.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
                await conn.execute(f"CREATE DATABASE {DATABASE}")
    finally:
        await pool.close()


async def create_topics(bootstrap: str) -> None:
    """Makes the topics that are missing."""
    async with kafka_bus(bootstrap, "tern-local") as bus:
        await bus.log.create(TABLE)


def migration(environment: Mapping[str, str]) -> Program:
    """The program that brings every schema up to date."""
    return Program("migrate", (sys.executable, "-m", "tern_common.migrate", "all"), environment=environment)


async def api_token(stack: Stack, database: str) -> str:
    """A token that may do everything, made once through the `tern` command and kept."""
    folder = stack.folder
    kept = folder.kept("api_token")
    if kept:
        return kept
    words = ("-m", "tern_cli", "--json", "tokens", "create", "local platform", "--role", "admin")
    answer = folder / "logs" / "tokens.log"
    program = Program(
        "tokens",
        (sys.executable, *words),
        environment={"TERN_ADMIN_DATABASE_URL": database},
        before=lambda: answer.unlink(missing_ok=True),
    )
    async with Family(folder, stack.clock) as family:
        await family.success(await family.start(program))
    said = answer.read_text()
    answer.unlink()  # it holds the token
    return folder.keep("api_token", str(json.loads(said)["token"]))


async def write_keys(folder: Folder, ingest: str, token: str) -> dict[str, str]:
    """A key for servers and one for browsers, made once through ingest's own door and kept."""
    kept = {kind: folder.kept(f"write_key_{kind}") for kind in _KINDS}
    if all(kept.values()):
        return {kind: key for kind, key in kept.items() if key}
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=ingest, headers=headers, timeout=10, trust_env=False) as http:
        source_id = await _source(http)
        return {kind: folder.keep(f"write_key_{kind}", await _key(http, source_id, kind)) for kind in _KINDS}


async def _source(http: httpx.AsyncClient) -> str:
    listed = (await http.get("/v1/sources")).raise_for_status().json()["sources"]
    found = [source for source in listed if source["name"] == _SOURCE]
    made = found or [(await http.post("/v1/sources", json={"name": _SOURCE})).raise_for_status().json()]
    return str(made[0]["source_id"])


async def _key(http: httpx.AsyncClient, source_id: str, kind: str) -> str:
    """A new key. Those of an earlier start that was killed before it kept them are of no use to anybody: they go."""
    listed = (await http.get(f"/v1/sources/{source_id}/keys")).raise_for_status().json()["keys"]
    for key in listed:
        if key["kind"] == kind and not key["revoked_at"]:
            (await http.delete(f"/v1/keys/{key['key_id']}")).raise_for_status()
    made = await http.post(f"/v1/sources/{source_id}/keys", json={"kind": kind})
    return str(made.raise_for_status().json()["write_key"])
