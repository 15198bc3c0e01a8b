"""The algorithm's part of the fold: whole groups again from their facts, and what changed by it (identity.md §4).

Works on the groups that were touched and locked; `canonical.py` says what must come out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from typing import NamedTuple

from tern_identity.domain.folding import fold, groups_of, name_of
from tern_identity.domain.ledger import Link, Node
from tern_identity.domain.rules import Guard, Rules, guard_of


class Strong(NamedTuple):
    """A strong node as it stands. `grp` is the smallest number in its group; `core` the node that names its core."""

    node: Node
    grp: int
    core: int
    guard: Guard | None


class Regrouped(NamedTuple):
    """`after`: every node of the groups, as it is to be. `refused`: the links that broke a limit."""

    after: dict[int, Strong]
    refused: list[Link]

    def changed(self, before: Mapping[int, Strong]) -> list[Strong]:
        """Nodes that are to be written."""
        return [now for node_id, now in self.after.items() if now != before[node_id]]


def moved(before: Strong, now: Strong) -> bool:
    """Whether browsers and homes under a node may have another customer: its group alone means nothing to them."""
    return before.core != now.core or (before.guard is None) != (now.guard is None)


def guards_after(
    touched: Set[int], links: Sequence[Link], known: Mapping[int, Strong], rules: Rules
) -> dict[int, Guard | None]:
    """The guards of nodes whose pairs changed. `links`: all of theirs; `known`: they and their partners.

    Nodes that have too many partners already only ever get more, so their links may be left out.
    """
    partners: dict[int, list[tuple[str, datetime]]] = defaultdict(list)
    for at, a, b in links:
        partners[a].append((known[b].node.namespace, at.time))
        partners[b].append((known[a].node.namespace, at.time))
    return {
        node_id: "partners" if known[node_id].guard == "partners" else guard_of(partners[node_id], rules)
        for node_id in touched
    }


def freed(before: Mapping[int, Strong], guards: Mapping[int, Guard | None]) -> set[int]:
    """Nodes that leave quarantine: the groups of *all* their partners must be locked too, since a partner that is
    itself about to be freed elsewhere would otherwise miss this one, and this one it."""
    return {node_id for node_id, guard in guards.items() if guard is None and before[node_id].guard is not None}


def regroup(
    before: Mapping[int, Strong], links: Sequence[Link], guards: Mapping[int, Guard | None], rules: Rules
) -> Regrouped:
    """Folds whole groups from the ledger. `before`: all nodes of the locked groups; `links`: all that end in them."""
    guarded = {node_id: guards.get(node_id, row.guard) for node_id, row in before.items()}
    nodes = {node_id: row.node for node_id, row in before.items()}
    counted = [
        link
        for link in links
        if link.a in nodes and link.b in nodes and guarded[link.a] is None and guarded[link.b] is None
    ]
    folded = fold(nodes, counted, rules)
    core_of = {node_id: name for core in folded.cores for name in [name_of(core, nodes)] for node_id in core}
    grp_of = {node_id: min(group) for group in groups_of(nodes, counted) for node_id in group}
    after = {
        node_id: Strong(node, grp_of[node_id], core_of[node_id], guarded[node_id]) for node_id, node in nodes.items()
    }
    return Regrouped(after, folded.refused)
