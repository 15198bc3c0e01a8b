"""Who stands behind an id or an identifier. Knows no SQL."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tern_common.http import customers_router
from tern_identity.app.words import IdentifierView, shown
from tern_identity.store.lookup import HOMES_SHOWN, Directory, Known


class CustomerView(BaseModel):
    """One customer. `customer_id` is the canonical one, whatever id was asked for."""

    customer_id: UUID
    identifiers: list[IdentifierView] = Field(description="In the order in which they were first seen.")
    homes: list[str] = Field(description=f"Where its events are filed; at most {HOMES_SHOWN}, the newest first.")
    shared: bool = Field(description="Nobody's customer: a browser or phone that several use.")


def customer_router(directory: Directory) -> APIRouter:
    """`/v1/customers`."""
    return customers_router("customers", directory, CustomerView, view)


def view(known: Known, *, hide: bool) -> CustomerView:
    """`hide`: mask personal data."""
    return CustomerView(
        customer_id=known.customer_id,
        identifiers=[shown(one, hide=hide) for one in known.identifiers],
        homes=list(known.homes),
        shared=known.shared,
    )
