"""Order independence, exactly (triggers.md §10): the same events, in any order, with any copies, in any batches, are
the same triggers, for rules of every kind; and the agenda is never late. `test_broken_variants.py` shows what this
catches."""

from __future__ import annotations

import pytest

from tern_triggers.domain import agenda, touched
from tern_triggers.domain.agenda import Plan, join
from tern_triggers.domain.moments import AT_ONCE
from tern_triggers.domain.news import Membership, News
from unit.triggers.chaos import Scenario
from unit.triggers.comparing import check
from unit.triggers.fast_rules import CART, POLICY, RULES
from unit.triggers.node import Node
from unit.triggers.saying import ANN, HOME, OTHER, at, item, order, said, snap

BOB = "00000000-0000-7000-8000-00000000000b"
DOZENS = range(26)
"""Of scenarios with a few rules each; the first of each dozen is met in two ways."""


@pytest.mark.parametrize("dozen", DOZENS)
def test_any_order_duplication_and_batching_gives_what_the_oracle_says(dozen: int) -> None:
    for seed in range(12 * dozen, 12 * dozen + 12):
        check(Scenario(seed), orderings=1 if seed % 12 else 2)


@pytest.mark.parametrize("seed", range(6))
def test_it_does_so_with_all_rules_together(seed: int) -> None:
    check(Scenario(seed, RULES), orderings=1)


def test_the_scenarios_are_worth_something() -> None:
    """Every rule speaks in some of them, in each of its steps."""
    fired: set[tuple[str, int]] = set()
    for seed in range(40):
        fired |= {(one.rule, one.step) for one in check(Scenario(seed, RULES), orderings=0) if one.fired}
    assert fired == {(rule.rule, step) for rule in RULES for step in range(len(rule.steps))}


def ignores_disorder(known: Plan, added: Plan) -> Plan:
    return join([known, added])


def undone_exit() -> Node:
    """A cart is filled and emptied; then it turns out that something had been added before, so it never was empty."""
    node = Node([CART], POLICY)
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
    node = Node([CART], POLICY)
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
    carts = [one for one in node.decisions.values() if one.rule == CART.rule and one.outcome != "ended"]
    assert sorted(one.cycle_ref for one in carts) == ["m1", "m2"]


def test_without_that_look_the_agenda_would_be_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(touched, "_plan_of_other", lambda *_: Plan())
    with pytest.raises(AssertionError, match="late"):
        reopened_step().check_agenda()
