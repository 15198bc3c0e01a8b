"""Identity's promises (identity.md §11, §13), over random histories."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tern_identity.domain.ledger import Node
from tern_identity.domain.rules import Rules, admissible
from unit.identity.histories import ALL_RULES, TIGHT, Said, histories
from unit.identity.memory_graph import MemoryGraph
from unit.identity.promises import PROMISES, Promise

NAMESPACES = st.sampled_from(sorted(TIGHT.values_per_customer))


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
@given(history=histories, rules=ALL_RULES, random=st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_promise(promise: Promise, history: list[Said], rules: Rules, random: Random) -> None:
    promise(MemoryGraph, rules, history, random)


@given(st.lists(NAMESPACES, max_size=8), st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_admissible_is_anti_monotone(namespaces: list[str], random: Random) -> None:
    nodes = [Node(number, name, TIGHT.known[name].kind, b"") for number, name in enumerate(namespaces)]
    subset = random.sample(nodes, random.randint(0, len(nodes)))
    assert admissible(subset, TIGHT) or not admissible(nodes, TIGHT)
