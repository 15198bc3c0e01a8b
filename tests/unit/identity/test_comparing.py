"""What a simulation says is the difference between two whole graphs, group by group."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tern_common.identifiers import NAMESPACES
from tern_identity.domain.canonical import Graph, canonical
from tern_identity.domain.comparing import Difference, Side, difference, sided
from tern_identity.domain.folding import groups_of, links_that_count
from tern_identity.domain.ledger import At, Ledger, Node, PairKey, first_links
from tern_identity.domain.rules import Rules
from tern_identity.domain.rulings import Rulings
from unit.identity.histories import HASTY, SHIPPED, TIGHT

START = datetime(2026, 3, 1, tzinfo=UTC)
STRONG = ("user_id", "phone", "email")
RULES = st.sampled_from([TIGHT, HASTY, SHIPPED, TIGHT.model_copy(update={"distrusted": frozenset({"till"})})])


@st.composite
def ledgers(draw: st.DrawFn) -> Ledger:
    """Up to twelve identifiers, and what two sources said of them."""
    spaces = draw(st.lists(st.sampled_from(STRONG), min_size=2, max_size=12))
    nodes = {
        number: Node(number, namespace, NAMESPACES[namespace].kind, bytes([number]))
        for number, namespace in enumerate(spaces, start=1)
    }
    number = st.integers(1, len(nodes))
    said = st.tuples(number, number, st.integers(0, 40), st.sampled_from(["shop", "till"])).filter(
        lambda one: one[0] != one[1]
    )
    pairs: dict[PairKey, At] = {}
    for place, (a, b, hours, source) in enumerate(draw(st.lists(said, max_size=16))):
        pairs[min(a, b), max(a, b), hours // 24, source] = At(START + timedelta(hours=hours), f"m-{place}", 0)
    blocked = frozenset(draw(st.lists(number, max_size=1)))
    return Ledger(nodes, pairs, [], {}, Rulings(blocked=blocked))


def side(graph: Graph) -> Side:
    return Side(graph.core_of, graph.guards)


def parts(ledger: Ledger, before: tuple[Graph, Rules], after: tuple[Graph, Rules]) -> list[frozenset[int]]:
    """Components in either graph, as a walk meets them."""
    links = [
        link
        for graph, rules in (before, after)
        for link in links_that_count(
            first_links(ledger.pairs, rules.distrusted), ledger.nodes.keys() - graph.guards.keys(), ledger.rulings
        )
    ]
    return groups_of(ledger.nodes, links)


def only(graph: Graph, nodes: frozenset[int]) -> Side:
    return Side(
        {node: core for node, core in graph.core_of.items() if node in nodes},
        {node: guard for node, guard in graph.guards.items() if node in nodes},
    )


@given(ledgers(), RULES, RULES)
@settings(max_examples=300)
def test_the_groups_differences_add_up_to_that_of_the_whole(ledger: Ledger, old: Rules, new: Rules) -> None:
    before, after = canonical(ledger, old), canonical(ledger, new)
    whole = difference(side(before), side(after))
    found = [difference(only(before, part), only(after, part)) for part in parts(ledger, (before, old), (after, new))]
    assert tuple(map(sum, zip(*(one.customers for one in found), strict=True))) == whole.customers
    for name in ("merged", "parted", "enters", "leaves", "members"):
        together: dict[int, object] = {}
        for one in found:
            together |= getattr(one, name)
        assert together == getattr(whole, name)


@given(ledgers(), RULES)
@settings(max_examples=300)
def test_a_group_is_folded_as_the_specification_folds_the_whole(ledger: Ledger, rules: Rules) -> None:
    graph = canonical(ledger, rules)
    links = first_links(ledger.pairs, rules.distrusted)
    for part in parts(ledger, (graph, rules), (graph, rules)):
        nodes = {node: ledger.nodes[node] for node in part}
        guards = {node: guard for node, guard in graph.guards.items() if node in part}
        assert sided(nodes, links, guards, (rules, ledger.rulings)) == only(graph, part)


@given(ledgers(), RULES, RULES)
@settings(max_examples=300)
def test_the_way_back_is_the_difference_turned_round(ledger: Ledger, old: Rules, new: Rules) -> None:
    before, after = side(canonical(ledger, old)), side(canonical(ledger, new))
    there, back = difference(before, after), difference(after, before)
    assert there.customers == back.customers[::-1]
    assert (there.merged, there.parted) == (back.parted, back.merged)
    assert (there.enters, there.leaves) == (back.leaves, back.enters)
    assert difference(before, before) == Difference(there.customers[:1] * 2, members=before.customers())


def cores(of: Mapping[int, int], quarantined: Mapping[int, str] | None = None) -> Side:
    return Side(of, dict.fromkeys(quarantined or {}, "partners"))


def test_two_that_become_one_are_a_merge() -> None:
    found = difference(cores({1: 1, 2: 2, 3: 2}), cores({1: 1, 2: 1, 3: 1}))
    assert (found.customers, found.merged, found.parted) == ((2, 1), {1: frozenset({1, 2})}, {})


def test_a_value_that_goes_into_quarantine_is_no_split() -> None:
    found = difference(cores({1: 1, 2: 1}), cores({1: 1, 2: 2}, {2: "partners"}))
    assert (found.customers, found.parted, found.enters) == ((1, 1), {}, {2: "partners"})
    assert found.members == {1: frozenset({1})}


def test_two_whom_only_a_quarantined_value_joined_are_a_split() -> None:
    found = difference(cores({1: 1, 2: 1, 3: 1}), cores({1: 1, 2: 2, 3: 3}, {2: "partners"}))
    assert (found.customers, found.parted) == ((1, 2), {1: frozenset({1, 3})})
