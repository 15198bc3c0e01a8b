"""The doors of a service that answers by customer: by any id ever published, or by any identifier. Knows no service."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated, Protocol, TypeVar
from uuid import UUID

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from tern_common.auth import Caller, require
from tern_common.errors import Refused
from tern_common.identifiers import LONGEST_NAME, NAMESPACES, Identifier, is_well_formed, normalise

_UNKNOWN = Refused(404, "unknown-customer", "No customer has ever had this id or identifier.")

Reader = Annotated[Caller, Depends(require("read"))]
NamespaceInPath = Annotated[str, Path(max_length=LONGEST_NAME)]
ValueInPath = Annotated[str, Path(max_length=1024)]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
T_contra = TypeVar("T_contra", contravariant=True)
V_co = TypeVar("V_co", bound=BaseModel, covariant=True)


class Lookup(BaseModel):
    """An identifier in the body, so that no e-mail need stand in a URL."""

    namespace: str = Field(max_length=LONGEST_NAME, examples=["email"])
    value: str = Field(max_length=1024, examples=["ann@example.com"])


class Customers(Protocol[T_co]):
    """What a service knows of customers. Both answer None for one that was never heard of."""

    async def by_id(self, customer_id: UUID) -> T_co | None:
        """Whoever any id ever published stands for now."""
        ...

    async def by_identifier(self, identifier: Identifier) -> T_co | None:
        """Whoever a normalised identifier belongs to."""
        ...


class View(Protocol[T_contra, V_co]):
    """Makes the answer of what is known; `hide`: mask personal data."""

    def __call__(self, known: T_contra, /, *, hide: bool) -> V_co: ...


def customers_router(noun: str, customers: Customers[T], shape: type[BaseModel], view: View[T, BaseModel]) -> APIRouter:
    """`/v1/{noun}/…`, answered in `shape`. Personal data is hidden from tokens that may only read."""
    router = APIRouter(prefix=f"/v1/{noun}", tags=[noun])

    async def answer(asked: Awaitable[T | None], caller: Caller, *, hide: bool = False) -> BaseModel:
        known = await asked
        if known is None:
            raise _UNKNOWN
        return view(known, hide=hide or caller.role == "read")

    async def answer_for(identifier: Identifier, caller: Caller) -> BaseModel:
        """By a browser's id nobody's data is shown: a cookie can be forged (identity.md §12)."""
        return await answer(customers.by_identifier(identifier), caller, hide=_is_forgeable(identifier.namespace))

    @router.get("/{customer_id}", response_model=shape)
    async def by_customer(customer_id: UUID, caller: Reader) -> BaseModel:
        """The customer that this id stands for now; any id that was ever published will do."""
        return await answer(customers.by_id(customer_id), caller)

    @router.get("/by/{namespace}/{value:path}", response_model=shape)
    async def by_identifier(namespace: NamespaceInPath, value: ValueInPath, caller: Reader) -> BaseModel:
        """The customer of an identifier: `user_id`, `phone`, `wechat_openid:<app>`, …, or a namespace of the shop's."""
        return await answer_for(_identifier(namespace, value), caller)

    @router.post("/lookup", response_model=shape)
    async def by_body(wanted: Lookup, caller: Reader) -> BaseModel:
        """The same, with the identifier in the body."""
        return await answer_for(_identifier(wanted.namespace, wanted.value), caller)

    return router


def _identifier(namespace: str, value: str) -> Identifier:
    """Raises `Refused` for what cannot be anybody's."""
    known = normalise(namespace, value).value if is_well_formed(namespace) else ""
    if not known:
        raise _UNKNOWN
    return Identifier(namespace, known)


def _is_forgeable(namespace: str) -> bool:
    """Of the weak ones that ship. What a shop declares only the service knows, and a forger would have to."""
    known = NAMESPACES.get(namespace)
    return known is not None and known.kind == "weak"
