"""Joining of maps whose values form a semilattice or a commutative monoid: the one step that all folds are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


def merge(into: dict[K, V], other: Mapping[K, V], choose: Callable[[V, V], V]) -> None:
    """Adds `other` to `into`; where both have a key, `choose` (commutative, associative) decides."""
    for key, value in other.items():
        mine = into.get(key)
        into[key] = value if mine is None else choose(mine, value)


def bound(into: dict[str, V], limit: int, *, largest: bool = False) -> None:
    """Keeps the `limit` smallest keys, or the largest. The smallest keys of a union are the smallest of the parts'
    smallest, so that a fold stays independent of order while nobody can grow a fragment without end."""
    if len(into) > limit:
        for key in sorted(into, reverse=largest)[limit:]:
            del into[key]
