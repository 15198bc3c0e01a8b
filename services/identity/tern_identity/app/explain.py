"""Why: what joins a customer, what keeps two apart, whose a browser is."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, model_validator

from tern_common.errors import Refused
from tern_identity.app.telling import BrowserView, CustomerView, PairView, Teller, browser_view
from tern_identity.app.words import IdentifierIn, Reader
from tern_identity.domain.rules import Rules
from tern_identity.store.explaining import Explainer

_UNKNOWN = Refused(404, "unknown-identifier", "No event ever carried this identifier, or it was erased.")
_WEAK = Refused(422, "weak-identifier", "This names a browser or device: ask POST /v1/explain/browser.")
_NOBODY = Refused(404, "unknown-customer", "No customer has ever had this id, or all of it was erased.")
_STRONG = Refused(422, "strong-identifier", "This names a person, not a browser: ask POST /v1/explain/customer.")


class PairIn(BaseModel):
    """Two identifiers of persons."""

    a: IdentifierIn
    b: IdentifierIn


class CustomerIn(BaseModel):
    """A customer, by any id ever published, or by an identifier."""

    customer_id: UUID | None = None
    identifier: IdentifierIn | None = None

    @model_validator(mode="after")
    def _is_one_of_them(self) -> CustomerIn:
        if (self.customer_id is None) == (self.identifier is None):
            raise ValueError("name a `customer_id` or an `identifier`")
        return self


class _Asked(NamedTuple):
    """Finds whom a question is about. Raises `Refused` for what was never seen, or is of the other kind."""

    explainer: Explainer
    rules: Callable[[], Rules]

    async def strong(self, asked: IdentifierIn) -> int:
        node_id, weak = await self._node(asked)
        if weak:
            raise _WEAK
        return node_id

    async def weak(self, asked: IdentifierIn) -> int:
        node_id, weak = await self._node(asked)
        if not weak:
            raise _STRONG
        return node_id

    async def customer(self, asked: CustomerIn) -> int:
        if asked.identifier is not None:
            return await self.strong(asked.identifier)
        found = await self.explainer.named(asked.customer_id) if asked.customer_id else None
        if found is None:
            raise _NOBODY
        if found[1]:
            raise _WEAK
        return found[0]

    async def _node(self, asked: IdentifierIn) -> tuple[int, bool]:
        found = await self.explainer.node_of(asked.known(self.rules().known))
        if found is None:
            raise _UNKNOWN
        return found


def explain_router(explainer: Explainer, rules: Callable[[], Rules]) -> APIRouter:
    """`/v1/explain`."""
    router = APIRouter(prefix="/v1/explain", tags=["explain"])
    find = _Asked(explainer, rules)

    @router.post("/pair")
    async def pair(asked: PairIn, caller: Reader) -> PairView:
        """Are these one customer, and why; or why not."""
        a, b = await find.strong(asked.a), await find.strong(asked.b)
        return Teller(await explainer.around([a, b], rules()), caller).pair(a, b)

    @router.post("/customer")
    async def customer(asked: CustomerIn, caller: Reader) -> CustomerView:
        """What joined this customer, and what was refused."""
        node_id = await find.customer(asked)
        return Teller(await explainer.around([node_id], rules()), caller).customer(node_id)

    @router.post("/browser")
    async def browser(asked: IdentifierIn, caller: Reader) -> BrowserView:
        """Whose is this browser or device, since when, and why is it nobody's."""
        weak = await find.weak(asked)
        return browser_view(await explainer.browser(weak, rules()), weak, caller)

    return router
