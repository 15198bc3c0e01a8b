"""Whose is a home, and who stands behind an id? (identity.md §3.5 to §3.7)"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from tern_identity.domain.holding import Held

Standing = Literal["person", "visitor", "browser", "value"]


class Customer(NamedTuple):
    """A customer is named by a node's token; a shared browser by its node's second token.

    `person`: a core. `visitor`: a browser nobody signed in on. `browser`: one that more than one person uses.
    `value`: an identifier in quarantine.
    """

    node_id: int
    standing: Standing

    @property
    def is_shared(self) -> bool:
        """Deterministic, and contactable by nobody."""
        return self.standing in ("browser", "value")


class Standpoint(NamedTuple):
    """What placing needs to know of a node. Strong: its core, and whether it counts. Weak: who holds it."""

    node_id: int
    is_weak: bool
    core: int = 0
    eligible: bool = True
    held: Held = Held(None, 0)
    holder_core: int | None = None


def place(nodes: Sequence[Standpoint], day: int) -> Customer:
    """The customer of a home filed under these nodes, in priority order, on that day."""
    for node in nodes:
        if not node.is_weak and node.eligible:
            return Customer(node.core, "person")
    weak = [node for node in nodes if node.is_weak]
    owners = {node.holder_core for node in weak if node.holder_core is not None and day < node.held.shared_from}
    if len(owners) == 1:
        return Customer(owners.pop(), "person")
    shared = [node for node in weak if day >= node.held.shared_from] or (weak if owners else [])
    if shared:
        return Customer(shared[0].node_id, "browser")
    return Customer(nodes[0].node_id, "visitor" if nodes[0].is_weak else "value")


def resolve(node: Standpoint, by_second_token: bool) -> Customer:
    """Any id ever published → whom it stands for now. An id follows its node; there is no table of aliases."""
    if not node.is_weak:
        return Customer(node.core, "person") if node.eligible else Customer(node.node_id, "value")
    if by_second_token or (node.held.holder is None and node.held.shared_from < 0):
        return Customer(node.node_id, "browser")
    if node.holder_core is not None:
        return Customer(node.holder_core, "person")
    return Customer(node.node_id, "visitor")
