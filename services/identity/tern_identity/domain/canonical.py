"""The specification: the whole graph as one plain function of the ledger and the rules (identity.md §3).

It takes no short cut and keeps nothing. What the store keeps up to date, batch by batch, must equal it at any time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from tern_identity.domain.folding import Folded, fold, links_that_count, name_of
from tern_identity.domain.holding import Claimed, Held, holder
from tern_identity.domain.ledger import Ledger, Link, Node, counted_claims, first_links
from tern_identity.domain.placing import Customer, Standpoint, place
from tern_identity.domain.rules import Guard, Partner, Rules, ruled_guard
from tern_identity.domain.rulings import both


@dataclass(frozen=True)
class Graph:
    """Who is who. `core_of`: strong node → the node that names its core. `guards`: those in quarantine, and why."""

    guards: dict[int, Guard]
    core_of: dict[int, int]
    refused: list[Link]
    held: dict[int, Held]
    customers: dict[str, Customer]

    def standpoint(self, node: Node) -> Standpoint:
        """What placing and resolving need to know of a node."""
        if not node.is_weak:
            eligible = node.node_id not in self.guards
            return Standpoint(node.node_id, is_weak=False, core=self.core_of[node.node_id], eligible=eligible)
        held = self.held[node.node_id]
        holder_core = None if held.holder is None else self.core_of[held.holder]
        return Standpoint(node.node_id, is_weak=True, held=held, holder_core=holder_core)


def canonical(ledger: Ledger, rules: Rules) -> Graph:
    """The live graph, from nothing but the facts and the operators' words."""
    strong = {node_id: node for node_id, node in ledger.nodes.items() if not node.is_weak}
    links = first_links(ledger.pairs, rules.distrusted)
    guards = _guards(strong, links, ledger, rules)
    counted = links_that_count(links, strong.keys() - guards.keys(), ledger.rulings)
    folded = fold(strong, counted, rules, ledger.rulings)
    core_of = _named(folded, strong)
    held = _held(ledger, guards, folded, core_of, rules)
    graph = Graph(guards, core_of, folded.refused, held, {})
    for home_id, home in ledger.homes.items():
        standpoints = [graph.standpoint(ledger.nodes[node_id]) for node_id in home.nodes]
        graph.customers[home_id] = place(standpoints, home.day)
    return graph


def _guards(strong: Mapping[int, Node], links: list[Link], ledger: Ledger, rules: Rules) -> dict[int, Guard]:
    partners: dict[int, list[Partner]] = {node_id: [] for node_id in strong}
    for at, a, b in links:
        if both(a, b) not in ledger.rulings.revoked:
            partners[a].append(Partner(strong[b].namespace, strong[b].kind, at.time))
            partners[b].append(Partner(strong[a].namespace, strong[a].kind, at.time))
    found = ((node_id, ruled_guard(node_id, said, rules, ledger.rulings)) for node_id, said in partners.items())
    return {node_id: guard for node_id, guard in found if guard is not None}


def _named(folded: Folded, strong: Mapping[int, Node]) -> dict[int, int]:
    named: dict[int, int] = {}
    for core in folded.cores:
        named |= dict.fromkeys(core, name_of(core, strong))
    return named


class _Use(NamedTuple):
    weak: int
    strong: int
    rank: int


def _held(
    ledger: Ledger, guards: Mapping[int, Guard], folded: Folded, core_of: Mapping[int, int], rules: Rules
) -> dict[int, Held]:
    first_day: dict[_Use, int] = {}
    browsers: dict[int, set[int]] = defaultdict(set)
    for weak, strong, rank, day, _ in counted_claims(ledger.claims, rules.distrusted):
        use = _Use(weak, strong, rank)
        first_day[use] = min(first_day.get(use, day), day)
        browsers[strong].add(weak)
    members = {core_of[next(iter(core))]: core for core in folded.cores}
    claims: dict[int, list[Claimed]] = defaultdict(list)
    for use, day in first_day.items():
        core = core_of[use.strong]
        counts = (
            use.strong not in guards
            and len(browsers[use.strong]) <= rules.browsers_per_account
            and not ledger.rulings.parts(use.weak, members[core])
        )
        claims[use.weak].append(Claimed(use.strong, use.rank, day, core, counts))
    return {
        node_id: holder(claims[node_id], blocked=node_id in ledger.rulings.blocked)
        for node_id, node in ledger.nodes.items()
        if node.is_weak
    }
