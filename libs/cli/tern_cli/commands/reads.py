"""`tern policy`, `decisions`, `profile`, `customer`: what the services know, readable. Through their doors."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from tern_cli.platform import SERVICES, Session
from tern_cli.printing import show_json, show_outline
from tern_common.errors import Misconfigured, Refused

_NOT_FOUND = 404

Key = Annotated[str, typer.Argument(help="A customer's id; or a namespace, such as email.")]
Value = Annotated[str | None, typer.Argument(help="The identifier in that namespace, such as ann@example.com.")]


def policy(
    context: typer.Context, service: Annotated[str, typer.Argument(help=f"One of {', '.join(SERVICES)}.")]
) -> None:
    """Show the numbers that a running service works by."""
    if service not in SERVICES:
        raise Misconfigured(f"there is no service {service!r}: it is one of {', '.join(SERVICES)}")
    try:
        _show(context, context.obj.ask(service, "GET", "/v1/policy"))
    except Refused as refused:
        if refused.status != _NOT_FOUND:
            raise
        raise Refused(_NOT_FOUND, "no-policy", f"{service} has no policy") from None


def profile(context: typer.Context, key: Key, value: Value = None) -> None:
    """Show what is known about a customer."""
    _show(context, _found(context.obj, "profile", "profiles", key, value))


def customer(context: typer.Context, key: Key, value: Value = None) -> None:
    """Show who a customer is: identifiers and homes."""
    _show(context, _found(context.obj, "identity", "customers", key, value))


def decisions(
    context: typer.Context,
    customer: Annotated[str, typer.Option(help="The customer's id.")],
    rule: Annotated[str | None, typer.Option(help="Only of this rule.")] = None,
    since: Annotated[str | None, typer.Option(help="Only from this moment on, such as 2026-01-31T00:00:00Z.")] = None,
) -> None:
    """Show what was decided for a customer, and why."""
    asked = {"customer_id": customer, "rule": rule, "since": since}
    params = {name: value for name, value in asked.items() if value is not None}
    _show(context, context.obj.ask("triggers", "GET", "/v1/decisions", params=params))


def _found(session: Session, service: str, things: str, key: str, value: str | None) -> Any:
    """An identifier travels in the body, so that no e-mail stands in an address."""
    if value is None:
        return session.ask(service, "GET", f"/v1/{things}/{quote(key, safe='')}")
    return session.ask(service, "POST", f"/v1/{things}/lookup", json={"namespace": key, "value": value})


def _show(context: typer.Context, answer: Any) -> None:
    if context.obj.as_json:
        show_json(answer)
    else:
        show_outline(answer)
