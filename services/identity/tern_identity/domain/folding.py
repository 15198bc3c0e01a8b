"""Groups and cores: which strong nodes are one customer (identity.md §3.2, §3.3), and what names it (§3.6)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from tern_common.identifiers import NAMESPACES
from tern_identity.domain.ledger import At, Link, Node, in_fold_order
from tern_identity.domain.rules import Rules, admissible
from tern_identity.domain.rulings import Rulings, both

BEFORE_ALL_TIME = datetime.min.replace(tzinfo=UTC)


class Folded(NamedTuple):
    """Every node is in exactly one core; a refused link would have broken a limit, or an operator's word.

    `joined`: the links that made the cores, in fold order: one path between any two nodes of a core.
    """

    cores: list[frozenset[int]]
    refused: list[Link]
    joined: list[Link]


def links_that_count(links: Iterable[Link], eligible: Collection[int], rulings: Rulings) -> list[Link]:
    """What is folded: what events said between eligible nodes, and what operators said, which goes before all time.

    An operator's link does not speak of partners: it never makes a value look shared. Those of one statement have one
    time: what they name orders them, not when it was born.
    """
    said = {(link.a, link.b): link for link in links}
    for (a, b), statement in rulings.together.items():
        said[a, b] = Link(At(BEFORE_ALL_TIME, f"{statement:019d}", 0), a, b)
    return [
        link
        for link in said.values()
        if link.a in eligible and link.b in eligible and both(link.a, link.b) not in rulings.revoked
    ]


def groups_of(nodes: Iterable[int], links: Iterable[Link]) -> list[frozenset[int]]:
    """Connected components, before guards. Every end of a link must be among the nodes."""
    part: dict[int, set[int]] = {node: {node} for node in nodes}
    for _, a, b in links:
        large, small = sorted((part[a], part[b]), key=len, reverse=True)
        if large is not small:
            large |= small
            part.update(dict.fromkeys(small, large))
    return _parts(part)


def fold(nodes: Mapping[int, Node], links: Sequence[Link], rules: Rules, rulings: Rulings) -> Folded:
    """First come in event time, first served: a link whose union is not admissible is refused."""
    part: dict[int, set[int]] = {node: {node} for node in nodes}
    refused: list[Link] = []
    joined: list[Link] = []
    for link in in_fold_order(links, nodes):
        ours, theirs = part[link.a], part[link.b]
        if ours is theirs:
            continue
        if not admissible((nodes[node] for node in ours | theirs), rules, rulings):
            refused.append(link)
            continue
        joined.append(link)
        ours |= theirs
        part.update(dict.fromkeys(theirs, ours))
    return Folded(_parts(part), refused, joined)


def name_of(core: Iterable[int], nodes: Mapping[int, Node]) -> int:
    """The node whose token is the customer's id: its unique one of highest priority, else the first born."""
    return min(core, key=lambda node: (_naming_rank(nodes[node]), node))


def _naming_rank(node: Node) -> int:
    """Shipped unique namespaces by priority, then those that sources declare, then the rest."""
    if node.kind != "unique":
        return len(NAMESPACES.names()) + 1
    namespace = NAMESPACES.get(node.namespace)
    return len(NAMESPACES.names()) if namespace is None else namespace.priority


def _parts(part: Mapping[int, set[int]]) -> list[frozenset[int]]:
    distinct = {id(members): members for members in part.values()}
    return [frozenset(members) for members in distinct.values()]
