"""`tern sources`: where events come from, what is wrong with them, how users are signed. Through ingest's door."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer

from tern_cli.commands.keys import Kind
from tern_cli.platform import Session
from tern_cli.printing import show_json, show_lines, show_rows

app = typer.Typer(no_args_is_help=True, help="Where events come from: a web shop, an app, a till.")

Source = Annotated[str, typer.Argument(help="Id of the source, as `tern sources list` shows it.")]


@app.command()
def create(context: typer.Context, name: Annotated[str, typer.Argument(help="What people call it.")]) -> None:
    """Make a source. It needs keys next: `tern keys create`."""
    session: Session = context.obj
    made = session.ask("ingest", "POST", "/v1/sources", json={"name": name})
    if session.as_json:
        show_json(made)
    else:
        print(made["source_id"])


@app.command("list")
def list_(context: typer.Context) -> None:
    """Show all sources."""
    session: Session = context.obj
    found = session.ask("ingest", "GET", "/v1/sources")
    if session.as_json:
        show_json(found)
    else:
        show_rows(found["sources"], ("source_id", "name", "created_at", "login_needs_token"))


@app.command()
def pages(
    context: typer.Context,
    source: Source,
    origins: Annotated[
        list[str] | None, typer.Argument(help="https://shop.example, or https://*.shop.example for all below it.")
    ] = None,
    any_page: Annotated[bool, typer.Option("--any", help="Take events from every page again.")] = False,
) -> None:
    """Say which pages may send events; all others are refused. Of events that come from now on."""
    if bool(origins) == any_page:
        raise typer.BadParameter("name the pages that may send, or --any", param_hint="ORIGINS")
    session: Session = context.obj
    show_json(session.ask("ingest", "PATCH", _path(source), json={"origins": origins or []}))


@app.command()
def rate(
    context: typer.Context,
    source: Source,
    kind: Annotated[Kind, typer.Option(help="Of which keys of the source.")],
    events_per_s: Annotated[
        float | None, typer.Argument(help="Events a second of each such key; without it, as the policy says.")
    ] = None,
) -> None:
    """Say how fast a source's keys may send. Whoever sends faster is told when to come back."""
    session: Session = context.obj
    show_json(session.ask("ingest", "PATCH", _path(source), json={f"{kind.value}_events_per_s": events_per_s}))


@app.command()
def logins(
    context: typer.Context,
    source: Source,
    signed: Annotated[
        bool, typer.Option("--signed/--any", help="Whether only a user that the shop's backend signed is logged in.")
    ],
) -> None:
    """Say which logins of a source's browsers count. Of events that come from now on."""
    session: Session = context.obj
    show_json(session.ask("ingest", "PATCH", _path(source), json={"login_needs_token": signed}))


@app.command("testers")
def declare_testers(
    context: typer.Context,
    source: Source,
    addresses: Annotated[
        list[str] | None, typer.Argument(help="qa@shop.example, or @test.shop.example for all at a domain.")
    ] = None,
    nobody: Annotated[bool, typer.Option("--nobody", help="Nobody's orders are tests by their address.")] = False,
) -> None:
    """Say whose orders are tests, by the e-mail address on them. Of events that come from now on."""
    if bool(addresses) == nobody:
        raise typer.BadParameter("name the testers' addresses, or --nobody", param_hint="ADDRESSES")
    session: Session = context.obj
    show_json(session.ask("ingest", "PATCH", _path(source), json={"testers": addresses or []}))


@app.command()
def quality(
    context: typer.Context,
    source: Source,
    days: Annotated[int, typer.Option(help="So many days, the last of them today, in UTC.", min=1, max=90)] = 7,
) -> None:
    """Show what a source sends, and what is wrong with it: shares by day, rejected events, unknown names, faults."""
    session: Session = context.obj
    found = session.ask("ingest", "GET", f"{_path(source)}/quality", params={"days": days})
    if session.as_json:
        show_json(found)
        return
    for part, columns in _QUALITY.items():
        show_lines([f"{part}:" if found[part] else f"{part}: none"])
        if found[part]:
            show_rows(found[part], columns)


_QUALITY = {
    "days": (
        *("day", "accepted", "rejected", "late_share", "bot_share", "test_share", "skewed_share", "anonymous_share"),
        *("sampled", "without_consent_share"),
    ),
    "rejected": ("reason", "count"),
    "refused": ("reason", "count"),
    "known": ("event", "count"),
    "unknown": ("event", "count"),
    "faults": ("event", "property", "fault", "expected", "count", "checked"),
}
"""The parts of the answer that are tables, with their columns."""


@app.command("new-user-key")
def new_user_key(context: typer.Context, source: Source) -> None:
    """Make a key for the shop's backend to sign its users with. It is shown once; a source has at most two."""
    session: Session = context.obj
    made = session.ask("ingest", "POST", f"{_path(source)}/user-keys")
    if session.as_json:
        show_json(made)
    else:
        print(made["user_key"])


@app.command("user-keys")
def user_keys(context: typer.Context, source: Source) -> None:
    """Show a source's signing keys, without the keys themselves."""
    session: Session = context.obj
    found = session.ask("ingest", "GET", f"{_path(source)}/user-keys")
    if session.as_json:
        show_json(found)
    else:
        show_rows(found["user_keys"], ("key_id", "created_at", "revoked_at"))


@app.command("revoke-user-key")
def revoke_user_key(
    context: typer.Context, source: Source, key: Annotated[str, typer.Argument(help="Id of the signing key.")]
) -> None:
    """End a signing key, for good: what it signed counts for nothing."""
    session: Session = context.obj
    session.ask("ingest", "DELETE", f"{_path(source)}/user-keys/{quote(key, safe='')}")


def _path(source: str) -> str:
    return f"/v1/sources/{quote(source, safe='')}"
