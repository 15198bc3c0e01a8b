"""Order independence, exactly (triggers.md §10): the same events, in any order, with any copies, in any batches, are
the same triggers; and each deliberately broken variant is caught."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tern_triggers.domain import agenda, candidates, rounds, story, touched
from tern_triggers.domain.agenda import Plan, join
from tern_triggers.domain.facts import Fact
from tern_triggers.domain.folds import carts
from tern_triggers.domain.moments import AT_ONCE, NEVER, round_up
from tern_triggers.domain.news import Membership, News
from unit.triggers.chaos import FAST_CART, POLICY, RULES, Scenario, expected, run
from unit.triggers.node import Node
from unit.triggers.saying import ANN, HOME, OTHER, at, item, order, said, snap

SEEDS = range(30)
REOPENS = 684
"""A scenario in which a late order of somebody else opens a step again."""

BOB = "00000000-0000-7000-8000-00000000000b"


def check(seed: int, orderings: int = 2) -> int:
    """Compares runs of one scenario with the oracle; returns how many triggers fired."""
    scenario = Scenario(seed)
    oracle = expected(scenario)
    wanted = {(v.rule, v.key, v.trigger_id, v.anchor, v.due, v.round, v.fired) for v in oracle.verdicts}
    for ordering in range(orderings):
        node = run(scenario, ordering)
        decided = {
            (d.rule, d.key, d.trigger_id, d.anchor, d.due, d.round, d.outcome == "fired")
            for d in node.decisions.values()
            if d.outcome != "ended"
        }
        assert decided == wanted
    return sum(verdict.fired for verdict in oracle.verdicts)


@pytest.mark.parametrize("seed", SEEDS)
def test_any_order_duplication_and_batching_gives_what_the_oracle_says(seed: int) -> None:
    check(seed)


def test_the_scenarios_are_worth_something() -> None:
    assert sum(verdict.fired for seed in SEEDS for verdict in expected(Scenario(seed)).verdicts) > 40


def ignores_disorder(known: Plan, added: Plan) -> Plan:
    return join([known, added])


def late_plan(rules: Any, fact: Fact, policy: Any) -> Plan:
    plan = PLAN_FOR(rules, fact, policy)
    return plan._replace(live=plan.live and plan.live + policy.slot, all=plan.all and plan.all + policy.slot)


def any_activity(rule: Any, told: Any) -> Any:
    return [moment for moment in told.activity if moment.at > told.gone_until]


def reach_is_at(told: Any) -> Any:
    return max((end.at for end in told.exits), default=NEVER)


def notes_decide(rule: Any, told: Any, decisions: Any) -> Any:
    return [d for d in decisions if (d.rule, d.key) == (rule.rule, told.key)]


def nobody_moved(batch: Any, known: Any) -> Any:
    return []


def no_grace(candidate: Any, policy: Any) -> Any:
    return round_up(candidate.due, policy.slot)


PLAN_FOR = agenda.plan_for

MUTANTS: list[tuple[Any, str, Any]] = [
    (touched, "plan_for", late_plan),
    (touched, "moved", nobody_moved),
    (touched, "_speaker", lambda *_: None),
    (candidates, "_open_activity", any_activity),
    (candidates, "taken_in_cycle", notes_decide),
    (story.Story, "gone_until", property(reach_is_at)),
    (carts, "_held", lambda *_: True),
    (rounds, "ready_at", no_grace),
    (rounds, "round_of", lambda _ready, safe, _policy: safe),
]


def survives() -> bool:
    """Whether the service as it is now agrees with the oracle on every scenario."""
    try:
        for seed in SEEDS:
            check(seed, orderings=1)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize(("where", "name", "broken"), MUTANTS, ids=[name for _, name, _ in MUTANTS])
def test_a_broken_variant_is_caught(where: Any, name: str, broken: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(where, name, broken)
    assert not survives()


def undone_exit() -> Node:
    """A cart is filled and emptied; then it turns out that something had been added before, so it never was empty."""
    node = Node(RULES, POLICY)
    mine = (Membership(HOME, ANN, 1, False),)
    for fact in (snap(0, "m1", "tea"), said("remove", 10, "m2", item("tea"))):
        node.batch([News(mine, facts=(fact,))], at(11))
    node.fire(at(200))
    node.batch([News(mine, facts=(said("add", 5, "m3", item("cup"), late=True),))], at(201))
    return node


def test_what_turns_up_late_and_moves_earlier_activity_is_looked_at_at_once() -> None:
    node = undone_exit()
    node.check_agenda()
    assert node.agenda[ANN].live == AT_ONCE


def test_without_that_the_agenda_would_be_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agenda, "replanned", ignores_disorder)
    with pytest.raises(AssertionError, match="late"):
        undone_exit().check_agenda()


def reopened_step() -> Node:
    """A cart is reminded of, then changed, which is one cycle; then it turns out that a guest had bought it between."""
    node = Node(RULES, POLICY)
    mine, guest = (Membership(HOME, ANN, 1, False),), (Membership(OTHER, BOB, 1, False),)
    node.batch([News(mine, facts=(snap(0, "m1", "tea"),))], at(1))
    node.fire(at(35))
    assert len(node.decisions) == 1
    node.batch([News(mine, facts=(snap(60, "m2", "tea", "cup"),))], at(61))
    node.fire(at(120))
    assert len(node.decisions) == 1
    node.batch([News(guest, facts=(order(50, "o1", cart="c", home=OTHER, late=True),))], at(121))
    return node


def test_a_late_order_of_somebody_else_may_open_a_step_again_so_it_is_looked_at_at_once() -> None:
    node = reopened_step()
    node.check_agenda()
    node.fire(at(122))
    carts = [one for one in node.decisions.values() if one.rule == FAST_CART.rule and one.outcome != "ended"]
    assert sorted(one.cycle_ref for one in carts) == ["m1", "m2"]


def test_the_agenda_is_never_late_where_chance_found_it_so_once() -> None:
    check(REOPENS)


@pytest.mark.parametrize(
    "meet", [lambda: reopened_step().check_agenda(), lambda: check(REOPENS)], ids=["directed", "by chance"]
)
def test_without_that_look_the_agenda_would_be_late(
    meet: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(touched, "_plan_of_other", lambda *_: Plan())
    with pytest.raises(AssertionError, match="late"):
        meet()
