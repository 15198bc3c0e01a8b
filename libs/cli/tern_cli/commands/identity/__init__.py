"""`tern identity`: why customers are who they are, and what operators can do about it. Through identity's door."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True, help="Who is who, why, and how to put it right.")
