"""Whether runs of the service decide what the oracle says."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from tern_triggers.domain.decisions import Decision, Outcome
from unit.triggers import tallies
from unit.triggers.chaos import SLOTS, Scenario, expected, run
from unit.triggers.node import Node
from unit.triggers.oracle import Verdict
from unit.triggers.walks import named


def check(scenario: Scenario, orderings: int = 1) -> list[Verdict]:
    """Compares so many runs of one scenario with the oracle, and returns what that says."""
    verdicts = expected(scenario).verdicts
    exact = exactly(scenario)
    wanted = {told(one, exact[one.rule], one.fired) for one in verdicts if one.rule in exact}
    for ordering in range(orderings):
        node = run(scenario, ordering)
        made = [one for one in node.decisions.values() if one.outcome is not Outcome.ENDED]
        got = {told(one, exact[one.rule], one.outcome is Outcome.FIRED) for one in made if one.rule in exact}
        assert wanted <= got
        assert got - wanted <= _overtaken(made, exact)
        for rule in scenario.rules:
            if rule.rule not in exact:
                _check_counted(rule, scenario, node, [one for one in made if one.rule == rule.rule])
    return verdicts


def _overtaken(made: list[Decision], exact: dict[str, Any]) -> set[tuple[object, ...]]:
    """What was decided at once and taken back, when the exit came in the same slot but a later batch."""
    return {
        told(one, exact[one.rule], True)
        for one in made
        if one.rule in exact and exact[one.rule].at_once(one.step) and (one.retracted_at or one.cancelled_at)
    }


def exactly(scenario: Scenario) -> dict[str, Any]:
    """The rules whose every decision the oracle knows, by name."""
    return {rule.rule: rule for rule in scenario.rules if not (rule.kind == "count" and rule.at_once(0))}


def told(one: Any, rule: Any, fired: bool) -> tuple[object, ...]:
    """What is decided at once is decided when its event comes, so only that it is can be compared."""
    told = (one.rule, one.key, one.about, one.trigger_id, one.step, fired)
    return told if rule.at_once(one.step) else (*told, one.anchor, one.due, one.round)


def _check_counted(rule: Any, scenario: Scenario, node: Node, made: list[Decision]) -> None:
    """Which event of a count speaks at once depends on what had come. Whatever it was: every completing event has a
    decision within the cooldown; nobody was told twice within one; and nothing was told that no window holds."""
    world = scenario.world(SLOTS)
    restated = {fact.message_id for fact in world.stated if fact not in world.facts}
    for customer in {one.customer_id for one in node.memberships.values()}:
        own = [fact for fact in world.facts if node.memberships[fact.home_id].customer_id == customer]
        for key, counted in tallies.by_key(rule, named(own, *rule.of.keys)).items():
            homes = {home for home, one in node.memberships.items() if one.customer_id == customer}
            mine = [one for one in made if one.key == key and one.home_id in homes]
            complete = tallies.completing(rule, counted, [])
            for fact in complete:
                assert fact.passive or any(abs(one.anchor - fact.at) < rule.cooldown for one in mine)
            if not restated & {fact.message_id for fact in counted}:
                assert {one.about for one in mine} <= {fact.message_id for fact in complete if not fact.passive}
    for one, other in combinations(made, 2):
        if (one.key, one.customer_id) == (other.key, other.customer_id):
            assert abs(one.anchor - other.anchor) >= rule.cooldown
