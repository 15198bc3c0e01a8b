"""What operators' controls must do in every history (identity.md §6), as plain checks like those of `promises.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from tern_common.identifiers import Identifier
from tern_identity.domain.canonical import Graph, canonical
from tern_identity.domain.ledger import Ledger
from tern_identity.domain.rules import Rules
from tern_identity.domain.rulings import both
from unit.identity.acts import TODAY, Act, Item, told_anyhow
from unit.identity.promises import Make, Promise, equals_the_specification
from unit.identity.ruled_graph import RuledGraph, ruled
from unit.identity.specification import expected

Pair = tuple[Identifier, Identifier]


def _without_acts(history: Sequence[Item]) -> list[Item]:
    return [item for item in history if not isinstance(item, Act)]


def _names(graph: RuledGraph) -> dict[int, Identifier]:
    return {eras[0].node_id: identifier for identifier, eras in graph.eras.items()}


def _said(graph: RuledGraph) -> list[tuple[int, int]]:
    return sorted({key[:2] for key in graph.pairs if key[3] not in graph.rules.distrusted})


def _less(ledger: Ledger, a: int, b: int) -> Ledger:
    return replace(ledger, pairs={key: at for key, at in ledger.pairs.items() if both(*key[:2]) != both(a, b)})


def _customers(graph: RuledGraph) -> dict[str, object]:
    return {home_id: member.customer for home_id, member in graph.members.items()}


def _is(graph: RuledGraph, wanted: Graph) -> None:
    """Partition and ids."""
    assert {node: row.core for node, row in graph.strong.items()} == wanted.core_of
    assert {node: row.guard for node, row in graph.strong.items() if row.guard} == wanted.guards
    assert _customers(graph) == wanted.customers


def merge_then_revert(make: Make, rules: Rules, history: Sequence[Item], random: Random) -> None:
    """Partition and ids are those of the ledger without the pair; undone, those of the ledger with it."""
    events = _without_acts(history)
    graph = ruled(make(rules), told_anyhow(events, random))
    names = _names(graph)
    with_it = canonical(graph.ledger(), rules)
    for a, b in _said(graph):
        without = canonical(_less(graph.ledger(), a, b), rules)
        if with_it.core_of[a] != with_it.core_of[b] or without.core_of[a] == without.core_of[b]:
            continue
        ruled(graph, [Act("revert", (names[a],), (names[b],), TODAY)])
        _is(graph, without)
        ruled(graph, [Act("undo", back=1)])
        _is(graph, with_it)


def a_reverted_pair_never_meets_again(make: Make, rules: Rules, history: Sequence[Item], random: Random) -> None:
    graph = make(rules)
    middle = len(history) // 2
    ruled(graph, told_anyhow(history[:middle], random))
    said = _said(graph)
    names = _names(graph)
    pairs = [(a, b) for a, b in said if a in names and b in names]
    if not pairs:
        return
    a, b = random.choice(pairs)
    graph.take(Act("revert", (names[a],), (names[b],), TODAY - 1))
    for step in told_anyhow(_without_acts(history), random):
        graph.take(step)
        assert graph.strong[a].core != graph.strong[b].core


def split_keeps_each_side_together(make: Make, rules: Rules, history: Sequence[Item], random: Random) -> None:
    events = _without_acts(history)
    graph = ruled(make(rules), told_anyhow(events[: len(events) // 2], random))
    names = _names(graph)
    cores = {row.core for node, row in graph.strong.items() if node != row.core}
    if not cores:
        return
    core = random.choice(sorted(cores))
    order = rules.known.order
    members = sorted((node for node, row in graph.strong.items() if row.core == core), key=lambda n: order(names[n][0]))
    group = set(random.sample(members, random.randint(1, len(members) - 1)))
    sides = [[node for node in members if node in group], [node for node in members if node not in group]]
    ours, theirs = (tuple(names[node] for node in side) for side in sides)
    graph.take(Act("split", ours, theirs, TODAY - 1))
    for step in [[], *told_anyhow(events, random)]:
        graph.take(step)
        graph.fold_deferred()
        sat = [{graph.strong[node].core for node in side if graph.strong[node].guard is None} for side in sides]
        assert sat[0].isdisjoint(sat[1])
        for side, cores_of_side in zip(sides, sat, strict=True):
            assert len(cores_of_side) <= 1, side


def what_is_taken_back_leaves_no_trace(make: Make, rules: Rules, history: Sequence[Item], random: Random) -> None:
    """Every act undone, in any order: partition and ids are those of the ledger without any."""
    events = _without_acts(history)
    acts = [item for item in history if isinstance(item, Act) and item.kind != "undo"]
    told = told_anyhow([*events, *acts], random)
    graph = ruled(make(rules), told)
    order = random.sample(range(len(acts)), len(acts))
    for done, number in enumerate(order):
        graph.take(Act("undo", back=len(acts) + done - number))
    graph.fold_deferred()
    plain = canonical(replace(graph.ledger(), rulings=type(graph.rulings)(blocked=frozenset(graph.listed))), rules)
    _is(graph, plain)
    assert graph.partition().homes == ruled(make(rules), told_anyhow(events, random)).partition().homes


def block_and_allow_decide(make: Make, rules: Rules, history: Sequence[Item], random: Random) -> None:
    """A blocked value joins nobody, whoever says so later; an allowed one is in quarantine for no count."""
    graph = ruled(make(rules), told_anyhow(history, random))
    names = [(node, one) for node, one in _names(graph).items() if node in graph.strong]
    if not names:
        return
    node, identifier = random.choice(names)
    kind = random.choice(["block", "allow"])
    graph.take(Act("block" if kind == "block" else "allow", (identifier,), (), TODAY - 1))
    for step in told_anyhow(_without_acts(history), random):
        graph.take(step)
        blocked = node in graph.rulings.blocked
        assert graph.strong[node].guard == ("blocked" if blocked else None)
        assert not blocked or graph.core(node) == {graph.names[node]}


def an_era_parts_what_is_filed_by_day(make: Make, rules: Rules, history: Sequence[Item], random: Random) -> None:
    """What was said before the day is said of the one, what was said since of the other, whenever it arrives."""
    graph = ruled(make(rules), told_anyhow(history, random))
    known = [(one, eras) for one, eras in graph.eras.items() if rules.known[one.namespace].kind != "unique"]
    if not known:
        return
    identifier, eras = random.choice(known)
    graph.take(Act("retire", (identifier,), (), TODAY + random.randint(0, 3)))
    ruled(graph, told_anyhow(_without_acts(history), random))
    first = {era.node_id: era.from_day for era in eras}
    ends = {old: min(day for day in [*first.values(), 1 << 31] if day > start) for old, start in first.items()}
    days = [(node, key[2]) for key in graph.pairs for node in key[:2]]
    days += [(node, key[3]) for key in graph.claims for node in key[:2]]
    days += [(node, home.day) for home in graph.homes.values() for node in home.nodes]
    assert all(first[node] <= day < ends[node] for node, day in days if node in first)
    equals_the_specification(graph)


def new_rules_are_applied_beside_events(make: Make, rules: Rules, history: Sequence[Item], random: Random) -> None:
    """Group by group, while events go on: it ends as if these rules had always been."""
    graph = ruled(make(rules), told_anyhow(history, random))
    graph.rules = Rules.model_validate(rules.model_dump() | {"version": 2, **_other_numbers(random)})
    events = told_anyhow(_without_acts(history), random)
    todo = sorted(graph.nodes)
    while todo:
        size = random.randint(1, len(todo))
        graph.settle_anew(todo[:size])
        todo = todo[size:]
        if events:
            graph.take(events.pop())
    graph.fold_deferred()
    equals_the_specification(graph)
    assert graph.partition() == expected(history, graph.rules)


def _other_numbers(random: Random) -> dict[str, object]:
    limits = {"user_id": 1, "wechat_unionid": 1, "loyalty_card": 1, "phone": random.randint(1, 3), "email": 1}
    return {
        "values_per_customer": limits | {"wechat_openid": 1},
        "distrusted": random.choice([[], ["till"], ["shop"]]),
        "partners_unique": random.randint(1, 4),
        "partners_other": random.randint(1, 4),
        "browsers_per_account": random.randint(1, 3),
    }


PROMISES_TO_OPERATORS: tuple[Promise, ...] = (
    merge_then_revert,
    a_reverted_pair_never_meets_again,
    split_keeps_each_side_together,
    what_is_taken_back_leaves_no_trace,
    block_and_allow_decide,
    an_era_parts_what_is_filed_by_day,
    new_rules_are_applied_beside_events,
)
