"""`tern triggers decisions`: the decision log of a customer, a line a decision."""

from __future__ import annotations

from typing import Annotated

import typer

from tern_cli.commands.triggers.whom import Customer, RuleName, customer_id
from tern_cli.printing import show_json, show_rows

_COLUMNS = ("decided_at", "rule", "key", "step", "act", "mode", "outcome", "reason", "due_at", "trigger_id")

Since = Annotated[str | None, typer.Option(help="Only from this moment on, such as 2026-01-31T00:00:00Z.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="At most so many, the newest.")]


def decisions(
    context: typer.Context, customer: Customer, rule: RuleName = None, since: Since = None, limit: Limit = 100
) -> None:
    """List what was decided for a customer, newest first: `tern triggers explain` says it in sentences."""
    asked = {"customer_id": customer_id(context.obj, customer), "rule": rule, "since": since, "limit": limit}
    params = {name: value for name, value in asked.items() if value is not None}
    answer = context.obj.ask("triggers", "GET", "/v1/decisions", params=params)
    if context.obj.as_json:
        show_json(answer)
    else:
        show_rows(answer["decisions"], _COLUMNS)
