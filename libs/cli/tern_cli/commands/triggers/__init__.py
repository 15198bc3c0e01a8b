"""`tern triggers`: what was decided about a customer, and why nothing was. By the doors of triggers and identity."""

from __future__ import annotations

import typer

from tern_cli.commands.triggers import decisions, explain

app = typer.Typer(no_args_is_help=True, help="What happened to whom, why not, and when next.")
for command in (explain.explain, decisions.decisions):
    app.command()(command)
