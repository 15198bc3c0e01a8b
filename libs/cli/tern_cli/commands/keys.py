"""`tern keys`: write keys of a source. Through ingest's door."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated
from urllib.parse import quote

import typer

from tern_cli.platform import Session
from tern_cli.printing import show_json, show_rows

app = typer.Typer(no_args_is_help=True, help="Write keys: what a shop's servers and browsers send events with.")


class Kind(StrEnum):
    """Who will hold a key: the shop's own servers, which are trusted, or everybody's browsers."""

    server = "server"
    browser = "browser"


TRUSTED_BROWSER = (
    "Anybody who reads the page has this key, and can join and part customers with it: whatever an event under it "
    "names counts as said by the shop itself."
)

Source = Annotated[str, typer.Argument(help="Id of the source, as `tern sources list` shows it.")]


@app.command()
def create(
    context: typer.Context,
    source: Source,
    kind: Annotated[Kind, typer.Option(help="A server key is trusted; a browser key may be seen by anybody.")],
    trusted: Annotated[
        bool | None, typer.Option("--trusted/--untrusted", help="Trust it otherwise than its kind says.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it, knowing what a trusted browser key means.")] = False,
) -> None:
    """Make a write key. It is shown once: only a hash of it is kept."""
    if trusted and kind is Kind.browser and not yes:
        raise typer.BadParameter(f"{TRUSTED_BROWSER} With --yes it is made.", param_hint="--trusted")
    session: Session = context.obj
    sent = {"kind": kind.value} if trusted is None else {"kind": kind.value, "trusted": trusted}
    made = session.ask("ingest", "POST", f"/v1/sources/{quote(source, safe='')}/keys", json=sent)
    if session.as_json:
        show_json(made)
        return
    if made.get("warning"):
        print(made["warning"], file=sys.stderr)
    print(made["write_key"])


@app.command("list")
def list_(context: typer.Context, source: Source) -> None:
    """Show the keys of a source, without their secrets."""
    session: Session = context.obj
    found = session.ask("ingest", "GET", f"/v1/sources/{quote(source, safe='')}/keys")
    if session.as_json:
        show_json(found)
    else:
        show_rows(found["keys"], ("key_id", "kind", "trusted", "created_at", "revoked_at"))


@app.command()
def revoke(context: typer.Context, key: Annotated[str, typer.Argument(help="Id of the key.")]) -> None:
    """End a key, for good."""
    session: Session = context.obj
    session.ask("ingest", "DELETE", f"/v1/keys/{quote(key, safe='')}")
