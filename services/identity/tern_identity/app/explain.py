"""Why: what joins a customer, what keeps two apart, whose a browser is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from typing import NamedTuple
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, model_validator

from tern_common.auth import require
from tern_common.errors import Refused
from tern_identity.app.telling import BrowserView, CustomerView, PairView, Teller, browser_view
from tern_identity.app.words import IdentifierIn, Reader
from tern_identity.domain.reading import EPOCH, FOREVER
from tern_identity.domain.rules import Rules
from tern_identity.store.explaining import Asked, Explainer

_UNKNOWN = Refused(404, "unknown-identifier", "No event ever carried this identifier, or it was erased.")
_WEAK = Refused(422, "weak-identifier", "This names a browser or device: ask POST /v1/explain/browser.")
_NOBODY = Refused(404, "unknown-customer", "No customer has ever had this id, or all of it was erased.")
_STRONG = Refused(422, "strong-identifier", "This names a person, not a browser: ask POST /v1/explain/customer.")


class PairIn(BaseModel):
    """Two identifiers of persons. `day`: the UTC day on which they are meant; today if none is named."""

    a: IdentifierIn
    b: IdentifierIn
    day: date | None = None


class CustomerIn(BaseModel):
    """A customer, by any id ever published, or by an identifier."""

    customer_id: UUID | None = None
    identifier: IdentifierIn | None = None

    @model_validator(mode="after")
    def _is_one_of_them(self) -> CustomerIn:
        if (self.customer_id is None) == (self.identifier is None):
            raise ValueError("name a `customer_id` or an `identifier`")
        return self


class _Finder(NamedTuple):
    """Finds whom a question is about. Raises `Refused` for what was never seen, or is of the other kind."""

    explainer: Explainer
    rules: Rules

    async def strong(self, asked: IdentifierIn, day: date | None = None) -> Asked:
        found = await self._node(asked, day)
        if found.weak:
            raise _WEAK
        return found

    async def weak(self, asked: IdentifierIn) -> int:
        found = await self._node(asked, None)
        if not found.weak:
            raise _STRONG
        return found.node_id

    async def customer(self, asked: CustomerIn) -> int:
        if asked.identifier is not None:
            return (await self.strong(asked.identifier)).node_id
        found = await self.explainer.named(asked.customer_id) if asked.customer_id else None
        if found is None:
            raise _NOBODY
        if found.weak:
            raise _WEAK
        return found.node_id

    async def _node(self, asked: IdentifierIn, day: date | None) -> Asked:
        meant = FOREVER if day is None else (day - EPOCH.date()).days
        found = await self.explainer.node_of(asked.known(self.rules.known), meant)
        if found is None:
            raise _UNKNOWN
        return found


def explain_router(explainer: Explainer, live: Callable[[], Awaitable[Rules]]) -> APIRouter:
    """`/v1/explain`. `live`: the rules that are in force."""
    router = APIRouter(prefix="/v1/explain", tags=["explain"])

    @router.post("/pair")
    async def pair(asked: PairIn, caller: Reader) -> PairView:
        """Are these one customer, and why; or why not."""
        find = _Finder(explainer, await live())
        a, b = await find.strong(asked.a, asked.day), await find.strong(asked.b, asked.day)
        return Teller(await explainer.around([a.node_id, b.node_id], find.rules), caller).pair(a, b)

    @router.post("/customer")
    async def customer(asked: CustomerIn, caller: Reader) -> CustomerView:
        """What joined this customer, and what was refused."""
        find = _Finder(explainer, await live())
        node_id = await find.customer(asked)
        return Teller(await explainer.around([node_id], find.rules), caller).customer(node_id)

    @router.post("/browser", dependencies=[Depends(require("read"))])
    async def browser(asked: IdentifierIn) -> BrowserView:
        """Whose is this browser or device, since when, and why is it nobody's."""
        find = _Finder(explainer, await live())
        weak = await find.weak(asked)
        return browser_view(await explainer.browser(weak, find.rules), weak)

    return router
