"""`tern sources`: where events come from. Through ingest's door."""

from __future__ import annotations

from typing import Annotated

import typer

from tern_cli.platform import Session
from tern_cli.printing import show_json, show_rows

app = typer.Typer(no_args_is_help=True, help="Where events come from: a web shop, an app, a till.")


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
        show_rows(found["sources"], ("source_id", "name", "created_at"))
