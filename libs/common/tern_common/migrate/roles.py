"""Roles and schemas: one of each per service, and nothing granted across but reading schema `access`."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Awaitable, Callable
from hashlib import pbkdf2_hmac, sha256
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from tern_common.clock import SystemClock
from tern_common.db import SERVER_SETTINGS, Connection
from tern_common.errors import Misconfigured
from tern_common.ids import new_bytes
from tern_common.logs import logger

ACCESS = "access"
_ITERATIONS = 4096
_TRIES = 10


def role_of(service: str) -> str:
    """The role that owns a service's schema. Roles belong to the whole server, hence the prefix."""
    return f"tern_{service}"


def service_url(admin_url: str, service: str, password: str) -> str:
    """The URL by which a service reaches its own schema, from an administrator's."""
    parts = urlsplit(admin_url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role_of(service)}:{quote(password, safe='')}@{place}"))


async def prepare(admin: Connection, service: str, password: str | None) -> None:
    """Role, password and empty schema of a service. Without a password the role keeps the one it has, or none."""
    role = role_of(service)
    await _again(lambda: _create_role(admin, role))
    if password is not None:
        verifier = scram_verifier(password, new_bytes(16))
        await _again(lambda: admin.execute(f"ALTER ROLE {role} PASSWORD '{verifier}'"))
    elif service != ACCESS:
        logger.warning("role gets no password", role=role, set_it_by=f"TERN_{service.upper()}_DB_PASSWORD")
    await _again(lambda: _limit_role(admin, role))
    await _join(admin, role)
    await admin.execute(f"CREATE SCHEMA IF NOT EXISTS {service} AUTHORIZATION {role}")


async def open_access(admin: Connection, service: str) -> None:
    """Lets a service read tokens. Told by the owner of the tokens, since an administrator need not be one."""
    await admin.execute(f"SET ROLE {role_of(ACCESS)}")
    await admin.execute(f"GRANT USAGE ON SCHEMA {ACCESS} TO {role_of(service)}")
    await admin.execute(f"GRANT SELECT ON {ACCESS}.token TO {role_of(service)}")
    await admin.execute("RESET ROLE")


async def _create_role(admin: Connection, role: str) -> None:
    if not await admin.fetchval("SELECT count(*) FROM pg_roles WHERE rolname = $1", role):
        await admin.execute(f"CREATE ROLE {role} LOGIN")


async def _limit_role(admin: Connection, role: str) -> None:
    have = set(await admin.fetchval("SELECT rolconfig FROM pg_roles WHERE rolname = $1", role) or ())
    for name, value in SERVER_SETTINGS.items():
        if f"{name}={value}" not in have:
            await admin.execute(f"ALTER ROLE {role} SET {name} = '{value}'")


async def _join(admin: Connection, role: str) -> None:
    """An administrator who is no superuser must be a member of a role to work in its name."""
    is_superuser = await admin.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    if not is_superuser and not await admin.fetchval("SELECT pg_has_role($1, 'SET')", role):
        await _again(lambda: admin.execute(f"GRANT {role} TO CURRENT_USER"))


async def _again(change: Callable[[], Awaitable[object]]) -> None:
    """Roles are shared by all databases of a server, and no lock reaches that far: two changes at once may collide."""
    clock = SystemClock()
    for _ in range(_TRIES - 1):
        try:
            await change()
        except (asyncpg.UniqueViolationError, asyncpg.DuplicateObjectError, asyncpg.InternalServerError):
            await clock.sleep(0.05)
        else:
            return
    await change()


def scram_verifier(password: str, salt: bytes) -> str:
    """What PostgreSQL stores of a password (RFC 5803), so that the password itself never gets into a server's log."""
    if not password.isascii() or not password:
        raise Misconfigured("a database password must be of ASCII characters, and at least one")
    salted = pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    stored = sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${_ITERATIONS}:{_b64(salt)}${_b64(stored)}:{_b64(server)}"


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
