"""Identity in the small: the rows that placing a home depends on, and what they must say.

Groups are folded in the plainest way that has all the edges: pairs in order, one account per customer, quarantine by
the number of partners or by an operator's word. Holders and places are the product's own functions. `expected` is the
specification: the derived rows as they follow from the facts alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from tern_identity.domain.holding import NEVER, Claimed, Held, holder
from tern_identity.domain.placing import Customer, Standpoint, place
from unit.identity.interleavings.machine import Key, Row, View

LAST_STRONG = 9
"""Nodes up to this number are strong, the others browsers."""


class Strong(NamedTuple):
    """A strong node. `grp` and `core` are the smallest numbers in its group and, accounts first, in its core."""

    grp: int
    core: int
    eligible: bool = True
    crowded: bool = False


class Weak(NamedTuple):
    """A browser. `from_day`: from then on `heir` is the browser of its name (identity.md §6, retire)."""

    held: Held = Held(None, NEVER)
    from_day: int = NEVER
    heir: int = 0


class HomeRow(NamedTuple):
    nodes: tuple[int, ...]
    day: int
    customer: Customer
    version: int


class World(NamedTuple):
    """What holds during a scenario: which nodes are accounts, and the limits."""

    accounts: frozenset[int] = frozenset()
    partners: int = 9
    browsers: int = 9


class Facts(NamedTuple):
    """What rows are made of. Pairs (a, b) with their time, claims (weak, strong, rank, day), homes with their nodes and
    day, nodes that an operator blocked."""

    pairs: tuple[tuple[int, int, int], ...] = ()
    claims: tuple[tuple[int, int, int, int], ...] = ()
    homes: tuple[tuple[str, tuple[int, ...], int], ...] = ()
    blocked: tuple[int, ...] = ()

    def strong(self) -> set[int]:
        """Every strong node that these facts name, except those of homes."""
        named = {node for a, b, _ in self.pairs for node in (a, b)}
        return named | {strong for _, strong, _, _ in self.claims} | set(self.blocked)

    def nodes(self) -> set[int]:
        """Every node."""
        filed = {node for _, nodes, _ in self.homes for node in nodes}
        return self.strong() | {weak for weak, *_ in self.claims} | filed

    def rows(self) -> tuple[tuple[Key, Row], ...]:
        """The rows of the ledger, homes left out."""
        pairs = [(("pair", a, b), at) for a, b, at in self.pairs]
        claims = [(("claim", *claim), True) for claim in self.claims]
        return (*pairs, *claims, *((("blocked", node), True) for node in self.blocked))


def table(view: View, name: str) -> Iterator[tuple[Key, Any]]:
    """The keys (without the table's name) and rows of a table."""
    return ((key[1:], row) for key, row in view.items() if key[0] == name)


def links_of(view: View, nodes: Collection[int]) -> tuple[tuple[int, int, int], ...]:
    """(time, a, b) of all pairs that end in these nodes, in order."""
    found = ((at, *key) for key, at in table(view, "pair") if key[0] in nodes or key[1] in nodes)
    return tuple(sorted(found))


def newest_of(links: Iterable[tuple[int, int, int]], rows: Mapping[int, Strong]) -> dict[int, int]:
    """Of each group the time of the last pair that counts in it, 0 where there is none."""
    newest = {row.grp: 0 for row in rows.values()}
    for at, a, b in links:
        if a in rows and b in rows and rows[a].eligible and rows[b].eligible:
            newest[rows[a].grp] = max(newest[rows[a].grp], at)
    return newest


def eligible(node: int, links: Iterable[tuple[int, int, int]], view: View, world: World) -> bool:
    partners = sum(node in ends for _, *ends in links)
    return ("blocked", node) not in view and partners <= world.partners


def crowded(view: View, world: World, strong: int) -> bool:
    return len({key[0] for key, _ in table(view, "claim") if key[1] == strong}) > world.browsers


def fold(before: Mapping[int, Strong], links: Iterable[tuple[int, int, int]], world: World) -> dict[int, Strong]:
    """Groups and cores of these nodes; `before` says which are eligible. A second account in a core is refused."""
    groups = {node: {node} for node in before}
    cores = {node: {node} for node in before}
    for _, a, b in sorted(links):
        if a not in before or b not in before or not (before[a].eligible and before[b].eligible):
            continue
        _unite(groups, a, b)
        if len((cores[a] | cores[b]) & world.accounts) <= 1:
            _unite(cores, a, b)
    return {
        node: row._replace(grp=min(groups[node]), core=min(cores[node] & world.accounts or cores[node]))
        for node, row in before.items()
    }


def _unite(parts: dict[int, set[int]], a: int, b: int) -> None:
    united = parts[a] | parts[b]
    parts.update(dict.fromkeys(united, united))


def held_now(view: View, weak: int) -> Held:
    """By the claims on this browser and by how the claimants stand."""
    claims: list[Claimed] = []
    for (browser, strong, rank, day), _ in table(view, "claim"):
        if browser == weak:
            row: Strong = view["node", strong]
            claims.append(Claimed(strong, rank, day, row.core, row.eligible and not row.crowded))
    return holder(claims)


def standpoint(view: View, node: int) -> Standpoint:
    row: Strong | Weak = view["node", node]
    if isinstance(row, Strong):
        return Standpoint(node, is_weak=False, core=row.core, eligible=row.eligible)
    who = row.held.holder
    return Standpoint(node, is_weak=True, held=row.held, holder_core=None if who is None else view["node", who].core)


def heir(view: View, node: int, day: int) -> int:
    """The node that a name means on a day."""
    row = view["node", node]
    return row.heir if isinstance(row, Weak) and day >= row.from_day else node


def expected(view: View, world: World) -> dict[Key, Any]:
    """What must stand in the derived rows: a strong node's, a group's newest pair, a browser's holder, a home's nodes
    and customer. A number that names no group may say anything."""
    nodes = {key[0]: row for key, row in table(view, "node")}
    strong = {node: row for node, row in nodes.items() if isinstance(row, Strong)}
    links = links_of(view, strong)
    judged = {
        node: row._replace(eligible=eligible(node, links, view, world), crowded=crowded(view, world, node))
        for node, row in strong.items()
    }
    rows: dict[Key, Any] = {**view}
    folded = fold(judged, links, world)
    rows |= {("node", node): row for node, row in folded.items()}
    wanted: dict[Key, Any] = {("grp", number): at for number, at in newest_of(links, folded).items()}
    wanted |= {key: row for key, row in rows.items() if key[0] == "node"}
    for node in nodes.keys() - strong.keys():
        wanted["node", node] = rows["node", node] = nodes[node]._replace(held=held_now(rows, node))
    for (home,), row in table(view, "home"):
        under = tuple(heir(view, node, row.day) for node in row.nodes)
        wanted["home", home] = (under, place([standpoint(rows, node) for node in under], row.day))
    return wanted


def drift(view: View, world: World) -> str | None:
    """The first row that does not say what follows from the facts."""
    wanted = expected(view, world)
    for key, row in sorted(view.items(), key=repr):
        if key[0] == "claim" and heir(view, key[1], key[4]) != key[1]:
            return f"{key} is in an era that had ended"
        said = (row.nodes, row.customer) if isinstance(row, HomeRow) else row
        if key in wanted and said != wanted[key]:
            return f"{key} says {said}, should say {wanted[key]}"
    return None


def version_fell(before: View, after: View) -> str | None:
    """The first home whose membership went back, or changed under the same version."""
    for key, row in table(after, "home"):
        was = before.get(("home", *key), row)
        if was.version > row.version or (was.version == row.version and was.customer != row.customer):
            return f"home {key[0]}: version {row.version} after {was.version}"
    return None


def settled(facts: Facts, born: Collection[int], world: World) -> dict[Key, Row]:
    """The rows of a database at rest, with these facts in it and these nodes besides."""
    named = facts.nodes() | world.accounts | set(born)
    rows: dict[Key, Any] = {("node", node): Strong(node, node) if is_strong(node) else Weak() for node in named}
    rows |= {("grp", node): 0 for node in named if is_strong(node)}
    rows |= dict(facts.rows())
    for home, nodes, day in facts.homes:
        rows["home", home] = HomeRow(nodes, day, Customer(nodes[0], "visitor"), 0)
        rows |= {("home_node", node, home): True for node in nodes}
    for key, wanted in expected(rows, world).items():
        rows[key] = rows[key]._replace(nodes=wanted[0], customer=wanted[1]) if key[0] == "home" else wanted
    return rows


def is_strong(node: int) -> bool:
    return node <= LAST_STRONG
