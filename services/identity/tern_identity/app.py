"""The HTTP edge: who stands behind an id or an identifier. Knows no SQL."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from tern_common.auth import Caller, require
from tern_common.errors import Refused
from tern_common.identifiers import NAMESPACES, Identifier, normalise
from tern_identity.store.lookup import HOMES_SHOWN, Directory, Known

SUMMARY = "Who is it: one customer for many identifiers, provably."

_UNKNOWN = Refused(404, "unknown-customer", "No customer has ever had this id or identifier.")

Reader = Annotated[Caller, Depends(require("read"))]


class Lookup(BaseModel):
    """An identifier in the body, so that no e-mail need stand in a URL."""

    namespace: str = Field(max_length=64, examples=["email"])
    value: str = Field(max_length=1024, examples=["ann@example.com"])


class IdentifierView(BaseModel):
    """An identifier; its value is masked unless the token may see personal data."""

    namespace: str
    value: str


class CustomerView(BaseModel):
    """One customer. `customer_id` is the canonical one, whatever id was asked for."""

    customer_id: UUID
    identifiers: list[IdentifierView] = Field(description="In the order in which they were first seen.")
    homes: list[str] = Field(description=f"Where its events are filed; at most {HOMES_SHOWN}, the newest first.")
    shared: bool = Field(description="Nobody's customer: a browser or phone that several use.")


def customer_router(directory: Directory) -> APIRouter:
    """`/v1/customers`."""
    router = APIRouter(prefix="/v1/customers", tags=["customers"])

    @router.get("/{customer_id}")
    async def by_customer(customer_id: UUID, caller: Reader) -> CustomerView:
        """The customer that this id stands for now; any id that was ever published will do."""
        return _view(await directory.by_id(customer_id), caller)

    @router.get("/by/{namespace}/{value:path}")
    async def by_identifier(
        namespace: Annotated[str, Path(max_length=64)], value: Annotated[str, Path(max_length=1024)], caller: Reader
    ) -> CustomerView:
        """The customer of an identifier: `user_id`, `phone`, `email`, `anonymous_id`."""
        return _view(await _find(directory, namespace, value), caller)

    @router.post("/lookup")
    async def by_body(wanted: Lookup, caller: Reader) -> CustomerView:
        """The same, with the identifier in the body."""
        return _view(await _find(directory, wanted.namespace, wanted.value), caller)

    return router


async def _find(directory: Directory, namespace: str, value: str) -> Known | None:
    known = normalise(namespace, value).value if namespace in NAMESPACES else ""
    return await directory.by_identifier(Identifier(namespace, known)) if known else None


def _view(known: Known | None, caller: Caller) -> CustomerView:
    if known is None:
        raise _UNKNOWN
    shown = _masked if caller.role == "read" else _plain
    return CustomerView(
        customer_id=known.customer_id,
        identifiers=[IdentifierView(namespace=one.namespace, value=shown(one.value)) for one in known.identifiers],
        homes=list(known.homes),
        shared=known.shared,
    )


def _plain(value: str) -> str:
    return value


def _masked(value: str) -> str:
    """Enough to recognise one's own: `a***@e***.com`, `+8***34`."""
    local, at, domain = value.rpartition("@")
    if not at:
        return f"{value[:2]}***{value[-2:]}"
    host, dot, rest = domain.rpartition(".")
    return f"{local[:1]}***@{host[:1]}***{dot}{rest}"
