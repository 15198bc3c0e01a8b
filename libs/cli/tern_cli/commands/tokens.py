"""`tern tokens`: who may ask the platform. Written straight into schema `access`, so that a first token can be made."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, TypeVar

import typer

from tern_cli.platform import Session
from tern_cli.printing import show_json, show_rows
from tern_common.access import store
from tern_common.access.store import StoredToken
from tern_common.auth import new_token
from tern_common.db import Pool, open_pool
from tern_common.durations import parse_span
from tern_common.errors import Refused

app = typer.Typer(no_args_is_help=True, help="Tokens of people and programs that read or operate the platform.")

T = TypeVar("T")


class Role(StrEnum):
    """What a token opens: reading, reading personal data too, everything."""

    read = "read"
    pii_read = "pii:read"
    admin = "admin"


@app.command()
def create(
    context: typer.Context,
    label: Annotated[str, typer.Argument(help="Who will use it.")],
    role: Annotated[Role, typer.Option(help="What it opens.")],
    expires_in: Annotated[
        timedelta | None,
        typer.Option(parser=parse_span, metavar="TIME", help="Like 90d; without it, it lives for ever."),
    ] = None,
) -> None:
    """Make a token. It is shown once: only a hash of it is kept."""
    token = new_token()
    stored = StoredToken(token.digest, role.value, label)
    _with_pool(context.obj, lambda pool: store.create(pool, token.token_id, stored, expires_in))
    if context.obj.as_json:
        show_json({"token_id": token.token_id, "token": token.text})
    else:
        print(token.text)


@app.command("list")
def list_(context: typer.Context) -> None:
    """Show all tokens, without their secrets."""
    found = _with_pool(context.obj, store.listed)
    rows = [{name: str(value) if value else None for name, value in token._asdict().items()} for token in found]
    if context.obj.as_json:
        show_json({"tokens": rows})
    else:
        show_rows(rows, ("token_id", "role", "label", "created_at", "expires_at", "revoked_at"))


@app.command()
def revoke(context: typer.Context, token_id: Annotated[str, typer.Argument(help="The id, not the token.")]) -> None:
    """End a token. Every service has seen it within ten seconds."""
    if not _with_pool(context.obj, lambda pool: store.revoke(pool, token_id)):
        raise Refused(404, "unknown-token", f"there is no live token {token_id}")


def _with_pool(session: Session, work: Callable[[Pool], Awaitable[T]]) -> T:
    async def opened() -> T:
        pool = await open_pool(session.addresses["postgres"], service="access", size=1)
        try:
            return await work(pool)
        finally:
            await pool.close()

    return asyncio.run(opened())
