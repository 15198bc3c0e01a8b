"""Why a transaction begins again. None of these leaves the store."""

from __future__ import annotations

from collections.abc import Collection

from tern_common.identifiers import Identifier


class GroupsMoved(Exception):
    """A group changed while its lock was waited for, or more must be locked: begin again, with `nodes` as well, and
    with `again` folded from the ledger."""

    def __init__(self, nodes: Collection[int] = (), again: Collection[int] = ()) -> None:
        super().__init__("begin again")
        self.nodes = frozenset(nodes) | frozenset(again)
        self.again = frozenset(again)


class Misread(Exception):
    """Events must be read again: the rules changed, an operator moved facts, or `erased` identifiers are on them."""

    def __init__(self, erased: Collection[Identifier] = ()) -> None:
        super().__init__("read again")
        self.erased = frozenset(erased)
