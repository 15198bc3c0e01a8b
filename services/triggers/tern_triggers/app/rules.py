"""Doors to the rules: which there are, what each waits for, who changed it; and changing them. Knows no SQL.

A rule is written in YAML or JSON. Who edits one says which state was seen (`If-Match`), so that nobody overwrites what
somebody else has just written.
"""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from tern_common.auth import Caller, require
from tern_common.clock import Clock
from tern_common.db import Pool, connection
from tern_common.errors import Flaw, Refused
from tern_triggers.domain.rules import Lane, Mode, Rule
from tern_triggers.domain.rules.lint import Placed, lint
from tern_triggers.domain.rules.schema import rule_schema
from tern_triggers.domain.rules.telling import Told, tell
from tern_triggers.store import rule_edits
from tern_triggers.store.rule_edits import Author, Kept, Standing

Operator = Annotated[Caller, Depends(require("admin"))]
Name = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{2,63}$")]
Why = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=1_000)]
Reason = Annotated[Why, Query(description="Why; kept for ever beside who and when.")]
Seen = Annotated[str | None, Header(alias="If-Match", description="The ETag of the state that was edited.")]

_YAML = frozenset({"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml", "text/plain"})
_JSON = "application/json"


class StepShown(BaseModel):
    """When a step is decided, in words."""

    step: int
    name: str
    at_once: bool
    earliest: str


class RuleShown(BaseModel):
    """A version of a rule. `rule` is what was written; send it back, changed, to change it, with `tag` as If-Match: it
    says which state of the rule that is. `since`: since when it decides in its mode. What follows from it: the lane
    whose safe time it waits for, when each step is decided, and what it reads of the stream."""

    rule: dict[str, Any]
    tag: str
    version: int
    mode: Standing
    since: datetime
    waits_for: Lane
    because: str
    steps: list[StepShown]
    facts: list[str]
    events: dict[str, list[str]]


class RulesShown(BaseModel):
    """Every rule, as it stands. `waits_for`: rule → whose safe time decides it. `since`: rule → since when it decides
    in its mode. `tags`: rule → what its ETag is, to send as If-Match."""

    rules: list[dict[str, Any]]
    waits_for: dict[str, Lane]
    since: dict[str, datetime]
    tags: dict[str, str]


class VersionsShown(BaseModel):
    """The newest first. A cycle that is under way keeps the timing of the version that it began under."""

    versions: list[RuleShown]


class EntryShown(BaseModel):
    """One change. `act`: created, edited, live, shadow, paused, retired."""

    version: int
    act: str
    by: str
    reason: str
    at: datetime


class HistoryShown(BaseModel):
    """The newest first."""

    history: list[EntryShown]


class ModeIn(BaseModel):
    """How a rule shall decide: live, in shadow (decide and log, publish nothing), or not at all."""

    model_config = ConfigDict(extra="forbid")

    mode: Mode
    reason: Why = Field(description="Why; kept for ever beside who and when.")


def rules_router(pool: Pool, clock: Clock) -> APIRouter:
    """`/v1/rules`. Who may read may look; changing needs an operator's token."""
    router = APIRouter(prefix="/v1/rules", tags=["rules"], dependencies=[Depends(require("read"))])
    _looking(router, pool)
    _changing(router, pool, clock)
    return router


def _looking(router: APIRouter, pool: Pool) -> None:
    schema = rule_schema()

    @router.get("")
    async def all_rules(retired: bool = False) -> RulesShown:
        """The rules that are in force, in whatever mode; with `retired`, those too that are no longer."""
        async with connection(pool) as conn:
            found = await rule_edits.all_current(conn)
        kept = [one for one in found if retired or one.standing != "retired"]
        return RulesShown(
            rules=[_written(one) for one in kept],
            waits_for={one.rule.rule: one.rule.lane for one in kept},
            since={one.rule.rule: one.since for one in kept},
            tags={one.rule.rule: one.tag for one in kept},
        )

    @router.get("/schema")
    async def of_a_rule() -> dict[str, Any]:
        """The JSON Schema of a rule."""
        return schema

    @router.get("/{rule}")
    async def one(rule: Name, response: Response) -> RuleShown:
        """A rule as it stands; its ETag is what to send as If-Match to change it."""
        async with connection(pool) as conn:
            return _answer(_found(rule, await rule_edits.current(conn, rule)), response)

    @router.get("/{rule}/versions")
    async def versions(rule: Name) -> VersionsShown:
        """Every version of a rule."""
        async with connection(pool) as conn:
            found = await rule_edits.versions(conn, rule)
        _found(rule, found[0] if found else None)
        return VersionsShown(versions=[_shown(version) for version in found])

    @router.get("/{rule}/audit")
    async def audit(rule: Name, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> HistoryShown:
        """Who changed a rule, when and why."""
        async with connection(pool) as conn:
            _found(rule, await rule_edits.current(conn, rule))
            found = await rule_edits.history(conn, rule, limit)
        return HistoryShown(history=[EntryShown.model_validate(entry._asdict()) for entry in found])


def _changing(router: APIRouter, pool: Pool, clock: Clock) -> None:
    def author(caller: Caller, reason: str) -> Author:
        return Author(f"{caller.label} ({caller.token_id})", reason, clock.now())

    @router.put("/{rule}", openapi_extra=_TAKES_A_RULE)
    async def put(
        rule: Name, request: Request, response: Response, caller: Operator, reason: Reason, seen: Seen = None
    ) -> RuleShown:
        """Makes a rule, or a new version of one. A new rule begins in shadow; an edited one keeps its mode."""
        written = _read(rule, request.headers.get("content-type", ""), await request.body())
        return _answer(await rule_edits.put(pool, written, _tag(seen), author(caller, reason)), response)

    @router.post("/{rule}/mode")
    async def mode(rule: Name, wanted: ModeIn, response: Response, caller: Operator, seen: Seen = None) -> RuleShown:
        """Lets a rule decide, decide in shadow, or pause. One that goes live leaves alone what began before."""
        by = author(caller, wanted.reason)
        return _answer(await rule_edits.set_mode(pool, rule, wanted.mode, _tag(seen), by), response)

    @router.delete("/{rule}")
    async def retire(rule: Name, response: Response, caller: Operator, reason: Reason, seen: Seen = None) -> RuleShown:
        """Ends a rule. What it decided stays in the log; PUT brings it back, in shadow."""
        return _answer(await rule_edits.set_mode(pool, rule, "retired", _tag(seen), author(caller, reason)), response)


_TAKES_A_RULE = {
    "requestBody": {
        "required": True,
        "description": "A rule, as GET /v1/rules/schema describes it. Its `mode` is set by POST …/mode.",
        "content": {kind: {"schema": {"type": "object"}} for kind in (_JSON, "application/yaml")},
    }
}


def _read(name: str, content_type: str, body: bytes) -> Rule:
    """The rule in a request. Raises `Refused` that names each line and what to write there."""
    kind = content_type.partition(";")[0].strip().lower() or "application/yaml"
    if kind != _JSON and kind not in _YAML:
        raise Refused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not-a-rule", "Send a rule as application/yaml or application/json."
        )
    try:
        found = lint(body.decode(), is_json=kind == _JSON)
    except UnicodeDecodeError:
        raise Refused(HTTPStatus.BAD_REQUEST, "not-utf-8", "Send the rule in UTF-8.") from None
    if found.rule is None:
        flaws = [_flaw(one) for one in found.errors]
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-rule", "The rule has mistakes.", flaws=flaws)
    if found.rule.rule != name:
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "other-name",
            f"The rule is called {found.rule.rule}: send it to that address.",
        )
    return found.rule


def _flaw(placed: Placed) -> Flaw:
    return Flaw(placed.finding.where, placed.finding.words, *(placed.line or (None, None)))


def _tag(seen: str | None) -> str | None:
    """An entity tag without what HTTP wraps it in."""
    return None if seen is None else seen.strip().removeprefix("W/").strip('"')


def _found(name: str, kept: Kept | None) -> Kept:
    if kept is None:
        raise rule_edits.unknown_rule(name)
    return kept


def _answer(kept: Kept, response: Response) -> RuleShown:
    response.headers["ETag"] = f'"{kept.tag}"'
    return _shown(kept)


def _written(kept: Kept) -> dict[str, Any]:
    return kept.rule.model_dump(mode="json", exclude_none=True)


def _shown(kept: Kept) -> RuleShown:
    told: Told = tell(kept.rule)
    return RuleShown(
        rule=_written(kept),
        tag=kept.tag,
        version=kept.rule.version,
        mode=kept.standing,
        since=kept.since,
        waits_for=told.waits_for,
        because=told.because,
        steps=[StepShown.model_validate(step._asdict()) for step in told.steps],
        facts=list(told.facts),
        events={name: list(kept_of) for name, kept_of in told.events.items()},
    )
