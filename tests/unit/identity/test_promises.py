"""Identity's promises (identity.md §11, §13), over random histories with operators in them."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tern_identity.domain.ledger import Node
from tern_identity.domain.rules import Rules, admissible
from tern_identity.domain.rulings import Rulings, rulings_of, words_of_revert
from unit.identity.acts import Item, long_history, ruled_histories, told_anyhow
from unit.identity.histories import ALL_RULES, CHANCES, EXAMPLES, TIGHT
from unit.identity.promises import PROMISES, Promise, equals_the_specification
from unit.identity.promises_to_operators import PROMISES_TO_OPERATORS
from unit.identity.ruled_graph import RuledGraph, ruled
from unit.identity.specification import expected

NAMESPACES = st.sampled_from(sorted(TIGHT.values_per_customer))


@pytest.mark.parametrize("promise", PROMISES + PROMISES_TO_OPERATORS, ids=lambda promise: promise.__name__)
@given(history=ruled_histories, rules=ALL_RULES, random=CHANCES)
@settings(max_examples=EXAMPLES)
def test_promise(promise: Promise, history: list[Item], rules: Rules, random: Random) -> None:
    promise(RuledGraph, rules, history, random)


@given(rules=ALL_RULES, random=CHANCES)
@settings(max_examples=EXAMPLES)
def test_long_random_histories(rules: Rules, random: Random) -> None:
    history = long_history(random)
    graph = ruled(RuledGraph(rules), told_anyhow(history, random))
    equals_the_specification(graph)
    assert graph.partition() == expected(history, rules)


@given(
    st.lists(NAMESPACES, max_size=8),
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=2),
    CHANCES,
)
@settings(max_examples=EXAMPLES)
def test_admissible_is_anti_monotone(namespaces: list[str], apart: list[tuple[int, int]], random: Random) -> None:
    nodes = [Node(number, name, TIGHT.known[name].kind, b"") for number, name in enumerate(namespaces)]
    words = [word for a, b in apart if a != b for word in words_of_revert(1, a, b)]
    rulings: Rulings = rulings_of(words)
    subset = random.sample(nodes, random.randint(0, len(nodes)))
    assert admissible(subset, TIGHT, rulings) or not admissible(nodes, TIGHT, rulings)
