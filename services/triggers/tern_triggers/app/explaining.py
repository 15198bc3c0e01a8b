"""A door to why: where each rule stands with one customer, in fields and in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from tern_common.auth import require
from tern_common.clock import Clock
from tern_common.db import Pool, transaction
from tern_common.errors import Refused
from tern_triggers.app.decisions import DecisionShown, shown
from tern_triggers.app.words import RuleAsked
from tern_triggers.domain.arbiter.judging import Check
from tern_triggers.domain.candidates import Candidate
from tern_triggers.domain.decisions import Outcome, Why
from tern_triggers.domain.explaining import Explained, Outlook, Question, State, Told, explain
from tern_triggers.domain.moments import AT_ONCE
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rules import Act, Lane, Mode, Rule, Ruleset
from tern_triggers.domain.story import Gone
from tern_triggers.domain.wording import words
from tern_triggers.store import log
from tern_triggers.store.rulebook import Rulebook

_NOBODY = Refused(404, "unknown-customer", "Triggers know of no event of this customer that a rule reads.")
_NO_RULE = Refused(404, "unknown-rule", "There is no rule of this name: GET /v1/rules lists them.")


class SafeShown(BaseModel):
    """Everything acknowledged before then is known; by lane. Nothing before the first claim."""

    live: datetime | None
    all: datetime | None


class StepShown(BaseModel):
    """The step that is decided next. `ready_at`: when it can be decided; nothing for what is decided at once."""

    trigger_id: str
    step: int
    steps: int
    name: str | None
    act: Act
    started_at: datetime
    anchor_at: datetime
    due_at: datetime
    ready_at: datetime | None
    expires_at: datetime


class PutOff(BaseModel):
    """Until when a step is deferred, and why."""

    until: datetime
    why: Why


class CheckShown(BaseModel):
    """One of the checks that a step meets. After one that fails no other is asked."""

    check: Check
    passed: bool


class OutlookShown(BaseModel):
    """What would be decided at `at` if nothing more came. No `outcome`: it would be put off `until`."""

    at: datetime
    outcome: Outcome | None
    reason: Why | None
    channels: list[str]
    until: datetime | None
    checks: list[CheckShown]


class ExitShown(BaseModel):
    """A moment at which the reason was gone."""

    at: datetime
    why: Gone
    message_id: str


class Thing(BaseModel):
    """Where a rule stands about one thing: a cart, an order, or, with an empty key, the customer."""

    key: str
    about: str
    state: State
    step: StepShown | None
    put_off: PutOff | None
    outlook: OutlookShown | None
    facts: dict[str, str | int | float | bool]
    exits: list[ExitShown]
    decisions: list[DecisionShown]
    sentences: list[str]


class RuleExplained(BaseModel):
    """What one rule has to say. `waits_for`: whose safe time it waits for. `more`: older things that are left out."""

    rule: str
    version: int
    mode: Mode
    kind: Literal["inactivity", "count", "change", "date", "event"]
    waits_for: Lane
    things: list[Thing]
    more: int


class Explanation(BaseModel):
    """Why, why not (yet), and when next. `customer_id`: under which the customer is known now."""

    customer_id: str
    now: datetime
    safe_time: SafeShown
    rules: list[RuleExplained]
    sentences: list[str]


def explaining_router(pool: Pool, rulebook: Rulebook, policy: Policy, clock: Clock) -> APIRouter:
    """For tokens that may read: contact points are not told."""
    router = APIRouter(tags=["triggers"], dependencies=[Depends(require("read"))])

    @router.get("/v1/decisions/explain")
    async def why(customer_id: UUID, rule: RuleAsked = None) -> Explanation:
        """Why each rule, or the one that is named, has acted on a customer, or has not. By any id it ever had."""
        async with transaction(pool) as conn:
            ruleset = await rulebook.of(conn)
            rules = _chosen(ruleset, rule)
            asked = await log.known(conn, ruleset, str(customer_id), policy, clock.now())
        if asked is None:
            raise _NOBODY
        return _explanation(asked, rules)

    return router


def _chosen(ruleset: Ruleset, name: str | None) -> Sequence[Rule]:
    """Rules that were retired only answer for what they once decided, when they are asked by name."""
    if name is None:
        return [rule for rule in ruleset.rules if rule.rule not in ruleset.retired]
    chosen = [rule for rule in ruleset.rules if rule.rule == name]
    if not chosen:
        raise _NO_RULE
    return chosen


def _explanation(asked: Question, rules: Sequence[Rule]) -> Explanation:
    found = [_rule(one) for one in explain(asked, rules)]
    safe = asked.safe
    return Explanation(
        customer_id=asked.view.customer_id,
        now=asked.now,
        safe_time=SafeShown(live=safe and safe.live, all=safe and safe.all),
        rules=found,
        sentences=[sentence for one in found for thing in one.things for sentence in thing.sentences],
    )


def _rule(explained: Explained) -> RuleExplained:
    rule = explained.rule
    return RuleExplained(
        rule=rule.rule,
        version=rule.version,
        mode=rule.mode,
        kind=rule.kind,
        waits_for=rule.lane,
        things=[_thing(explained, told) for told in explained.told],
        more=explained.more,
    )


def _thing(explained: Explained, told: Told) -> Thing:
    deferral = told.deferral
    return Thing(
        key=told.key,
        about=told.about,
        state=told.state,
        step=None if told.candidate is None else _step(told.candidate, told.ready),
        put_off=None if deferral is None else PutOff(until=deferral.until, why=deferral.why),
        outlook=None if told.outlook is None else _outlook(told.outlook),
        facts=dict(told.facts),
        exits=[ExitShown(at=end.at, why=end.why, message_id=end.message_id) for end in told.exits],
        decisions=[shown(decision) for decision in told.decisions],
        sentences=words(explained, told),
    )


def _step(candidate: Candidate, ready: datetime | None) -> StepShown:
    step = candidate.rule.steps[candidate.step]
    return StepShown(
        trigger_id=candidate.trigger_id,
        step=candidate.step,
        steps=len(candidate.rule.steps),
        name=step.name,
        act=step.act,
        started_at=candidate.start.at,
        anchor_at=candidate.anchor,
        due_at=candidate.due,
        ready_at=None if ready == AT_ONCE else ready,
        expires_at=candidate.expires,
    )


def _outlook(outlook: Outlook) -> OutlookShown:
    verdict = outlook.verdict
    return OutlookShown(
        at=outlook.at,
        outcome=verdict.outcome,
        reason=verdict.reason,
        channels=list(verdict.channels),
        until=verdict.until,
        checks=[CheckShown(check=one.check, passed=one.passed) for one in outlook.checks],
    )
