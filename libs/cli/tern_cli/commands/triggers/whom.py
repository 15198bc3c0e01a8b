"""Whom a command is about. Triggers know customers by their ids alone: identifiers are identity's to resolve."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from tern_cli.commands.identity.words import identifier
from tern_cli.platform import Session

Customer = Annotated[str, typer.Argument(help="A customer's id, or an identifier such as email:ann@example.com.")]
RuleName = Annotated[str | None, typer.Argument(help="Only this rule.", metavar="[RULE]")]


def customer_id(session: Session, asked: str) -> str:
    """The id of a customer. An identifier travels in the body, so that no e-mail stands in an address."""
    try:
        return str(UUID(asked))
    except ValueError:
        found = session.ask("identity", "POST", "/v1/customers/lookup", json=identifier(asked))
        return str(found["customer_id"])
