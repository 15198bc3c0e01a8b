"""`tern identity`: why customers are who they are, and what operators can do about it. Through identity's door."""

from __future__ import annotations

import typer

from tern_cli.commands.identity import controls, explain, graph

app = typer.Typer(no_args_is_help=True, help="Who is who, why, and how to put it right.")
for command in (explain.explain, explain.quarantine, *graph.COMMANDS):
    app.command()(command)
for name, act in controls.ACTS.items():
    app.command(name)(act)
