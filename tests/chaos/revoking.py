"""What has to be said about decisions after they fired: which reasons had gone, which went later, which stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from chaos.evidence import Made
from chaos.knowing import Household
from tern_triggers.domain.decisions import Outcome
from tern_triggers.domain.facts import Fact
from tern_triggers.domain.policy import Policy
from unit.triggers import walks
from unit.triggers.walks import Waiting


def wrong(household: Household, made: Sequence[Made], policy: Policy) -> list[str]:
    """Decisions about which something else was said than had to be, in the end, knowing everything."""
    return [
        f"{one.rule} {one.key!r} step {one.step}, {one.trigger_id}: {fault}"
        for one in made
        if (fault := _fault(household, one, policy))
    ]


def _fault(household: Household, one: Made, policy: Policy) -> str | None:
    if one.outcome not in (Outcome.FIRED, Outcome.WITHDRAWN):
        return "revoked, though it never fired" if one.retracted_at or one.cancelled_at else None
    refuted = _gone(household, one, policy, before=True)
    over = refuted or _gone(household, one, policy)
    if one.outcome == Outcome.WITHDRAWN:
        return None if _ever(household, one, policy) else "withdrawn, though its reason stands"
    if refuted:
        return None if one.retracted_at else "its reason had gone before it fired, and it was not retracted"
    if one.retracted_at and not _ever(household, one, policy, before=True):
        return "retracted, though its reason stood when it fired"
    if over and not one.cancelled_at and not one.retracted_at:
        return "its reason went later, and it was not cancelled"
    if one.cancelled_at and not _ever(household, one, policy):
        return "cancelled, though its reason stands"
    return None


def _gone(household: Household, one: Made, policy: Policy, *, before: bool = False) -> bool:
    """Whether its reason has gone, as far as is known in the end; `before` it was decided."""
    facts = [fact for fact in household.facts if not before or fact.at <= one.decided_at]
    return _is_gone(household, one, facts, policy)


def _ever(household: Household, one: Made, policy: Policy, *, before: bool = False) -> bool:
    """The same, or as far as was known at some moment: a second order that ended it may be refunded later, and what
    was said is said."""
    facts = [fact for fact in household.facts if not before or fact.at <= one.decided_at]
    told = [call.message_id for call in household.calls]
    return any(
        _is_gone(household, one, [fact for fact in facts if fact.message_id in told[:upto]], policy)
        for upto in range(len(told), told.index(one.cycle_ref), -1)
    )


def _is_gone(household: Household, one: Made, facts: Sequence[Fact], policy: Policy) -> bool:
    """Whether its cycle is over, as far as these facts say."""
    holders = household.holders(household.everything)
    begun = next((fact for fact in household.facts if fact.at == one.started), None)
    customer = holders[household.home_at(begun, one.cycle_ref)]
    own = [fact for fact in facts if holders[fact.home_id] == customer]
    rule = next(rule for rule in household.rules if rule.rule == one.rule)
    for waiting in _waiting(rule, one, own, facts, policy):
        if (waiting.key, waiting.about) == (one.key, one.about):
            return waiting.ended_before is not None and waiting.ended_before >= one.anchor
    return True


def _waiting(rule: Any, one: Made, own: Sequence[Fact], stated: Sequence[Fact], policy: Policy) -> Iterable[Waiting]:
    """What goes on, whoever has the cart: who loses one is told nothing."""
    if rule.kind == "event":
        return walks.walk_events(rule, own, lambda fact: fact.body.said["score"] <= rule.of.where.at_most)
    match rule.fold:
        case "cart":
            found = [walks.walk_cart(rule, one.key, own, stated, policy.settle)]
        case "checkout":
            found = [walks.walk_checkout(rule, one.key, own, stated, policy.settle)]
        case "browse":
            found = [walks.walk_views(rule, own)]
        case "orders":
            found = [walks.walk_orders(own)]
        case "first_order":
            found = [walks.walk_first(own)]
        case _:
            return walks.walk_filters(rule, own)
    return [waiting for waiting in found if waiting is not None]
