"""Operators' words as the fold takes them (identity.md §6): without a place in time, so that the past can be undone.

Knows nodes by number; who said a word, why, and whether it was taken back, is the store's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Literal, NamedTuple

Word = Literal["revoke", "cannot", "together", "block", "allow"]

WORDS_OF_TWO: tuple[Word, ...] = ("revoke", "cannot", "together")


class Ruling(NamedTuple):
    """One word about a node `a`, or about two. `statement` is the control it belongs to, and orders what it joins."""

    statement: int
    word: Word
    a: int
    b: int = 0


@dataclass(frozen=True)
class Rulings:
    """All words that hold now. Pairs are (smaller, larger) node numbers."""

    revoked: frozenset[tuple[int, int]] = frozenset()
    cannot: Mapping[int, frozenset[int]] = field(default_factory=dict)
    together: Mapping[tuple[int, int], int] = field(default_factory=dict)
    blocked: frozenset[int] = frozenset()
    allowed: frozenset[int] = frozenset()

    def may_meet(self, nodes: Iterable[int]) -> bool:
        """Whether no word keeps two of these apart."""
        if not self.cannot:
            return True
        members = set(nodes)
        return not any(self.cannot[node] & members for node in members & self.cannot.keys())

    def parts(self, weak: int, core: Iterable[int]) -> bool:
        """Whether a browser is kept from somebody."""
        apart = self.cannot.get(weak)
        return apart is not None and not apart.isdisjoint(core)


SILENCE = Rulings()


def rulings_of(words: Iterable[Ruling]) -> Rulings:
    """The words in the form in which the fold asks for them. The first statement of a joining word orders it."""
    said: dict[Word, list[Ruling]] = {}
    for ruling in sorted(words):
        said.setdefault(ruling.word, []).append(ruling)
    cannot: dict[int, frozenset[int]] = {}
    for _, _, a, b in said.get("cannot", ()):
        cannot[a] = cannot.get(a, frozenset()) | {b}
        cannot[b] = cannot.get(b, frozenset()) | {a}
    together: dict[tuple[int, int], int] = {}
    for statement, _, a, b in said.get("together", ()):
        together.setdefault((a, b), statement)
    return Rulings(
        revoked=frozenset(both(a, b) for _, _, a, b in said.get("revoke", ())),
        cannot=cannot,
        together=together,
        blocked=frozenset(ruling.a for ruling in said.get("block", ())),
        allowed=frozenset(ruling.a for ruling in said.get("allow", ())),
    )


def both(a: int, b: int) -> tuple[int, int]:
    """Two nodes, whichever is named first."""
    return (a, b) if a < b else (b, a)


def words_of_revert(statement: int, a: int, b: int) -> list[Ruling]:
    """The pair counts no more, even if said again, and no other path joins the two."""
    return [Ruling(statement, "revoke", *both(a, b)), Ruling(statement, "cannot", *both(a, b))]


def words_of_split(statement: int, group: list[int], rest: list[int]) -> list[Ruling]:
    """Two sides that never meet again, each of which keeps together, whoever of them goes into quarantine later."""
    crossing = [Ruling(statement, "revoke", *both(a, b)) for a in group for b in rest]
    apart = [Ruling(statement, "cannot", *both(a, b)) for a in group for b in rest]
    inside = [Ruling(statement, "together", *both(a, b)) for side in (group, rest) for a, b in combinations(side, 2)]
    return [*crossing, *apart, *inside]


def words_of_cannot_link(statement: int, nodes: Iterable[int], others: Iterable[int]) -> list[Ruling]:
    """None of these is ever one customer with any of the others; a browser is never held by them."""
    return [Ruling(statement, "cannot", *both(a, b)) for a, b in product(nodes, others)]


def word_on(statement: int, word: Literal["block", "allow"], node: int) -> list[Ruling]:
    """Into quarantine, or out of it, whatever is counted; a browser that is blocked is nobody's."""
    return [Ruling(statement, word, node)]
