"""What other rules would make of the same facts: who becomes one, who parts, what goes into quarantine.

Speaks of customers by the node that names them. Values in quarantine are nobody's here: going in or coming out of it is
told apart from merging and parting.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tern_identity.domain.folding import fold, links_that_count, name_of
from tern_identity.domain.ledger import Link, Node
from tern_identity.domain.rules import Guard, Rules
from tern_identity.domain.rulings import Rulings


class Side(NamedTuple):
    """Strong nodes by one set of rules: the core of each, and why some are in quarantine."""

    core_of: Mapping[int, int]
    guards: Mapping[int, Guard]

    def customers(self) -> dict[int, frozenset[int]]:
        """Who is one customer: the nodes that are not in quarantine, by the one that names them."""
        members: dict[int, set[int]] = defaultdict(set)
        for node_id, core in self.core_of.items():
            if node_id not in self.guards:
                members[core].add(node_id)
        return {core: frozenset(nodes) for core, nodes in members.items()}


@dataclass(frozen=True)
class Difference:
    """`customers`: how many persons there are, before and after. `merged`: the customer there would be → those it is
    made of; `parted`: a customer of now → those it would become. `enters`, `leaves`: quarantine, and why. `members`:
    of every customer there would be."""

    customers: tuple[int, int] = (0, 0)
    merged: dict[int, frozenset[int]] = field(default_factory=dict)
    parted: dict[int, frozenset[int]] = field(default_factory=dict)
    enters: dict[int, Guard] = field(default_factory=dict)
    leaves: dict[int, Guard] = field(default_factory=dict)
    members: dict[int, frozenset[int]] = field(default_factory=dict)


def sided(
    nodes: Mapping[int, Node], links: Iterable[Link], guards: Mapping[int, Guard], by: tuple[Rules, Rulings]
) -> Side:
    """Whole groups as these rules fold them. `guards`: those of the nodes that are in quarantine."""
    counted = links_that_count(links, nodes.keys() - guards.keys(), by[1])
    folded = fold(nodes, counted, *by)
    core_of = {node_id: name for core in folded.cores for name in [name_of(core, nodes)] for node_id in core}
    return Side(core_of, guards)


def difference(before: Side, after: Side) -> Difference:
    """Both sides have the same nodes. What it says of some groups and of others adds up to what it says of all."""
    were, become = before.customers(), after.customers()
    entering = after.guards.keys() - before.guards.keys()
    leaving = before.guards.keys() - after.guards.keys()
    return Difference(
        customers=(len(were), len(become)),
        merged=_more_than_one(become, before),
        parted=_more_than_one(were, after),
        enters={node_id: after.guards[node_id] for node_id in entering},
        leaves={node_id: before.guards[node_id] for node_id in leaving},
        members=become,
    )


def _more_than_one(customers: Mapping[int, Collection[int]], other: Side) -> dict[int, frozenset[int]]:
    """Customers whose nodes are several customers on the other side."""
    found = {
        core: frozenset(other.core_of[node_id] for node_id in nodes if node_id not in other.guards)
        for core, nodes in customers.items()
    }
    return {core: others for core, others in found.items() if len(others) > 1}
