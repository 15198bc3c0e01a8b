"""What several routes speak of: identifiers in bodies, and who asks."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from pydantic import BaseModel, Field, StringConstraints

from tern_common.auth import Caller, require
from tern_common.errors import Refused
from tern_common.identifiers import LONGEST_NAME, Identifier, Namespaces, is_well_formed, masked, normalise

Reader = Annotated[Caller, Depends(require("read"))]
Operator = Annotated[Caller, Depends(require("admin"))]
Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True),
    Field(min_length=3, max_length=1_000, description="Why; kept for ever beside who and when."),
]


class IdentifierIn(BaseModel):
    """An identifier, as anybody may write it."""

    namespace: str = Field(max_length=LONGEST_NAME, examples=["email"])
    value: str = Field(max_length=1024, examples=["ann@example.com"])

    def known(self, namespaces: Namespaces) -> Identifier:
        """The one way to write it. Raises `Refused` for what can be nobody's. A namespace that is declared no more may
        be named: its values are still there to be split and erased."""
        if not is_well_formed(self.namespace):
            raise Refused(422, "unknown-namespace", f"Name a namespace: {', '.join(namespaces.names())}.")
        value = normalise(self.namespace, self.value).value
        if not value:
            raise Refused(422, "invalid-identifier", f"The value is no valid {self.namespace}: it identifies nobody.")
        return Identifier(self.namespace, value)


class IdentifierView(BaseModel):
    """An identifier; its value is masked unless the token may see personal data."""

    namespace: str
    value: str


def seen_by(identifier: Identifier, caller: Caller) -> IdentifierView:
    """As this caller may see it."""
    return shown(identifier, hide=caller.role == "read")


def shown(identifier: Identifier, *, hide: bool) -> IdentifierView:
    """`hide`: mask the value."""
    return IdentifierView(namespace=identifier.namespace, value=masked(identifier.value) if hide else identifier.value)
