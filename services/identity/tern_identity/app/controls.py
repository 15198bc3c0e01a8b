"""What operators do about customers: each act with who and why, each but erasure to be undone. Knows no SQL."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Body, Path, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from tern_common.auth import Caller
from tern_common.clock import Clock
from tern_common.errors import Refused
from tern_common.identifiers import Namespaces
from tern_identity.app.words import IdentifierIn, Operator, Reader, Reason, seen_by
from tern_identity.domain.reading import EPOCH, day_of
from tern_identity.store import Store
from tern_identity.store.acting import Wish
from tern_identity.store.controls import Kind
from tern_identity.store.operators import Audited, Done, Named, Operators
from tern_identity.store.ruleset import Act

MOST_SHOWN = 200
MOST_NAMED = 100
MOST_TURNED = 1_000

Number = Annotated[int, Path(ge=1, lt=1 << 63)]
Side = Annotated[list[IdentifierIn], Field(min_length=1, max_length=MOST_NAMED)]
Meant = Annotated[
    date | None, Field(description="The day on which the identifiers are meant: today, if none is named.")
]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: Reason


class Revert(_Asked):
    """The pair that made a merge counts no more. Name the merge by its id, or its two identifiers."""

    kind: Literal["revert"]
    merge_id: UUID | None = Field(None, description="As `merged` on tern.identity.v1 tells it.")
    a: IdentifierIn | None = None
    b: IdentifierIn | None = None
    day: Meant = None

    @model_validator(mode="after")
    def _names_one_merge(self) -> Self:
        if (self.merge_id is None) == (self.a is None) or (self.a is None) != (self.b is None):
            raise ValueError("name a merge_id, or both identifiers a and b")
        return self


class CannotLink(_Asked):
    """Two that are never one customer; a browser that a person never holds."""

    kind: Literal["cannot-link"]
    a: IdentifierIn
    b: IdentifierIn
    day: Meant = None


class Split(_Asked):
    """Two sides of one customer that never meet again. Every identifier that is no browser is on one of them."""

    kind: Literal["split"]
    group: Side
    rest: Side
    day: Meant = None


class BlockOrAllow(_Asked):
    """Into quarantine, or out of it. A browser that is blocked is nobody's."""

    kind: Literal["block", "allow"]
    identifier: IdentifierIn
    day: Meant = None


class Retire(_Asked):
    """From that UTC day on the identifier is another person's: a recycled number, a sold device."""

    kind: Literal["retire"]
    identifier: IdentifierIn
    day: date


class Erase(_Asked):
    """All that was said of the identifier is deleted, and later events lose it. There is no way back."""

    kind: Literal["erase"]
    identifier: IdentifierIn


Asked = Annotated[
    Revert | CannotLink | Split | BlockOrAllow | Retire | Erase,
    Field(discriminator="kind"),
    Body(description="The act."),
]


class Turn(BaseModel):
    """Homes went from one customer to another."""

    from_: UUID = Field(serialization_alias="from")
    to: UUID


class DoneView(BaseModel):
    """What came of an act."""

    control_id: int
    moved: int = Field(description="Homes and doors that have another customer now.")
    customers: list[Turn] = Field(description=f"From whom to whom; at most {MOST_TURNED}.")


class SubjectView(BaseModel):
    """An identifier that a control names. `value`: none where it was erased. `from_day`: the first of its era."""

    namespace: str
    value: str | None
    from_day: date | None


class WhoAndWhy(BaseModel):
    """Who did something, why and when. `by`: the token's label and id."""

    by: str
    reason: str
    at: datetime


class ControlView(WhoAndWhy):
    """One act. `rest`: the other side, where there are two."""

    control_id: int
    kind: Kind
    subjects: list[SubjectView]
    rest: list[SubjectView]
    day: date | None
    undone: WhoAndWhy | None


class ControlPage(BaseModel):
    """The newest first. `next`: what to send as `before` for those that follow; none at the end."""

    controls: list[ControlView]
    next: int | None


class Why(BaseModel):
    """The body of an undo."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason


def controls_router(operators: Operators, store: Store, clock: Clock) -> APIRouter:
    """`/v1/controls`."""
    router = APIRouter(prefix="/v1/controls", tags=["controls"])

    @router.post("", status_code=201)
    async def act(asked: Asked, caller: Operator) -> DoneView:
        """Does it, in one transaction. Ids of customers that were published go on to resolve."""
        rules = await store.refresh()
        wish = _wish(asked, rules.known, clock.now())
        return _done(await operators.act(wish, _act(asked.reason, caller, clock)))

    @router.get("")
    async def page(
        caller: Reader,
        before: Annotated[int | None, Query(ge=1, lt=1 << 63)] = None,
        kind: Kind | None = None,
        limit: Annotated[int, Query(ge=1, le=MOST_SHOWN)] = 50,
    ) -> ControlPage:
        """What was done and taken back, the newest first."""
        found = await operators.page(before, kind, limit)
        last = found[-1].control.control_id if len(found) == limit else None
        return ControlPage(controls=[_view(one, caller) for one in found], next=last)

    @router.get("/{control_id}")
    async def one(control_id: Number, caller: Reader) -> ControlView:
        """One act."""
        found = await operators.find(control_id)
        if found is None:
            raise Refused(404, "unknown-control", "There is no control of this number.")
        return _view(found, caller)

    @router.post("/{control_id}/undo")
    async def undo(control_id: Number, why: Why, caller: Operator) -> DoneView:
        """Takes it back: the graph is as it would be without it."""
        return _done(await operators.undo(control_id, _act(why.reason, caller, clock)))

    return router


def _act(reason: str, caller: Caller, clock: Clock) -> Act:
    return Act(f"{caller.label} ({caller.token_id})", reason, clock.now())


def _wish(asked: Asked, known: Namespaces, now: datetime) -> Wish:
    """Raises `Refused` for identifiers that can be nobody's, and for one that is named twice."""
    match asked:
        case Revert() | CannotLink():
            group, rest = [asked.a] if asked.a else [], [asked.b] if asked.b else []
        case Split():
            group, rest = asked.group, asked.rest
        case _:
            group, rest = [asked.identifier], []
    ours, theirs = (tuple(one.known(known) for one in side) for side in (group, rest))
    if len({*ours, *theirs}) < len(ours) + len(theirs):
        raise Refused(422, "named-twice", "An identifier is named twice.")
    day = None if isinstance(asked, Erase) else asked.day
    meant = day_of(now) if day is None else (day - EPOCH.date()).days
    merge_id = asked.merge_id if isinstance(asked, Revert) else None
    return Wish(asked.kind, ours, theirs, meant, merge_id)


def _done(done: Done) -> DoneView:
    turns = sorted(done.turned)[:MOST_TURNED]
    return DoneView(
        control_id=done.control_id, moved=done.moved, customers=[Turn(from_=was, to=now) for was, now in turns]
    )


def _view(audited: Audited, caller: Caller) -> ControlView:
    control = audited.control
    return ControlView(
        control_id=control.control_id,
        kind=control.kind,
        subjects=[_subject(one, caller) for one in audited.group],
        rest=[_subject(one, caller) for one in audited.rest],
        day=_date(control.day),
        undone=WhoAndWhy(**control.undone._asdict()) if control.undone else None,
        **control.act._asdict(),
    )


def _subject(named: Named, caller: Caller) -> SubjectView:
    value = None if named.identifier is None else seen_by(named.identifier, caller).value
    return SubjectView(namespace=named.namespace, value=value, from_day=_date(named.from_day))


def _date(day: int | None) -> date | None:
    return None if day is None else EPOCH.date() + timedelta(days=day)
