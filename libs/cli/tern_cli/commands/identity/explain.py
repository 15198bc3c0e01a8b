"""`tern identity explain` and `quarantine`: why, in sentences."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tern_cli.commands.identity.words import identifier
from tern_cli.printing import show_json, show_rows
from tern_common.errors import Refused

_WEAK = "weak-identifier"

Asked = Annotated[str, typer.Argument(help="A customer's id, or an identifier such as email:ann@example.com.")]
Other = Annotated[str | None, typer.Argument(help="Another identifier: are the two one customer?")]


def explain(context: typer.Context, asked: Asked, other: Other = None) -> None:
    """Say why identifiers are one customer or two, what makes a customer, or whose a browser is."""
    answer = _pair(context, asked, other) if other else _one(context, asked)
    if context.obj.as_json:
        show_json(answer)
        return
    for sentence in answer["sentences"]:
        print(sentence)
    if not answer.get("complete", True):
        print("Much more hangs together with this than was looked at.")


def quarantine(
    context: typer.Context,
    after: Annotated[int, typer.Option(help="Go on after this number, which the page before named.")] = 0,
) -> None:
    """List values that join nobody: how many people share them, and what to do about it."""
    page = context.obj.ask("identity", "GET", "/v1/quarantine", params={"after": after})
    if context.obj.as_json:
        show_json(page)
        return
    rows = [{**row, **row["identifier"]} for row in page["values"]]
    show_rows(rows, ("namespace", "value", "guard", "persons", "others", "suggested", "day", "why"))
    for giant in page["giants"]:
        hubs = ", ".join(
            f"{hub['identifier']['namespace']} {hub['identifier']['value']}" for hub in giant["best_connected"]
        )
        print(f"A group of {giant['size']} values is folded late. Look at its best-connected ones: {hubs}")
    if page["next"] is not None:
        print(f"There are more: tern identity quarantine --after {page['next']}")


def _pair(context: typer.Context, asked: str, other: str) -> Any:
    both = {"a": identifier(asked), "b": identifier(other)}
    return context.obj.ask("identity", "POST", "/v1/explain/pair", json=both)


def _one(context: typer.Context, asked: str) -> Any:
    """A browser is explained by its claims, anybody else by what joined them."""
    if ":" not in asked:
        return context.obj.ask("identity", "POST", "/v1/explain/customer", json={"customer_id": asked})
    named = identifier(asked)
    try:
        return context.obj.ask("identity", "POST", "/v1/explain/customer", json={"identifier": named})
    except Refused as refused:
        if refused.code != _WEAK:
            raise
        return context.obj.ask("identity", "POST", "/v1/explain/browser", json=named)
