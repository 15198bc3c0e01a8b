"""Groups and cores: which strong nodes are one customer (identity.md §3.2, §3.3), and what names it (§3.6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from tern_common.identifiers import NAMESPACES
from tern_identity.domain.ledger import Link, Node, in_fold_order
from tern_identity.domain.rules import Rules, admissible


class Folded(NamedTuple):
    """Every node is in exactly one core; a refused link would have broken a limit."""

    cores: list[frozenset[int]]
    refused: list[Link]


def groups_of(nodes: Iterable[int], links: Iterable[Link]) -> list[frozenset[int]]:
    """Connected components, before guards. Every end of a link must be among the nodes."""
    part: dict[int, set[int]] = {node: {node} for node in nodes}
    for _, a, b in links:
        large, small = sorted((part[a], part[b]), key=len, reverse=True)
        if large is not small:
            large |= small
            part.update(dict.fromkeys(small, large))
    return _parts(part)


def fold(nodes: Mapping[int, Node], links: Sequence[Link], rules: Rules) -> Folded:
    """First come in event time, first served: a link whose union is not admissible is refused."""
    part: dict[int, set[int]] = {node: {node} for node in nodes}
    refused = []
    for link in in_fold_order(links, nodes):
        ours, theirs = part[link.a], part[link.b]
        if ours is theirs:
            continue
        if not admissible((nodes[node].namespace for node in ours | theirs), rules):
            refused.append(link)
            continue
        ours |= theirs
        part.update(dict.fromkeys(theirs, ours))
    return Folded(_parts(part), refused)


def name_of(core: Iterable[int], nodes: Mapping[int, Node]) -> int:
    """The node whose token is the customer's id: its unique one of highest priority, else the first born."""
    return min(core, key=lambda node: (_naming_rank(nodes[node]), node))


def _naming_rank(node: Node) -> int:
    namespace = NAMESPACES[node.namespace]
    return namespace.priority if namespace.kind == "unique" else len(NAMESPACES) + 9


def _parts(part: Mapping[int, set[int]]) -> list[frozenset[int]]:
    distinct = {id(members): members for members in part.values()}
    return [frozenset(members) for members in distinct.values()]
