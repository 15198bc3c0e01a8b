"""Why are these one customer, why are those two not, and whose is this browser? (identity.md §6, "explain")

Folds the part of the ledger that a question touches, and keeps what the fold itself throws away. Knows nodes by number;
what they are called and how it is said belongs to those who ask.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tern_identity.domain.folding import BEFORE_ALL_TIME, fold, links_that_count
from tern_identity.domain.holding import Claimed, Held, holder
from tern_identity.domain.ledger import Link, Node, in_fold_order
from tern_identity.domain.regrouping import Strong
from tern_identity.domain.rules import Breach, Guard, Rules, breach_of
from tern_identity.domain.rulings import Rulings, both


class Refusal(NamedTuple):
    """A pair that was said and does not count, and what it would have broken."""

    link: Link
    breach: Breach


class Shared(NamedTuple):
    """A value in quarantine, through which nobody is joined."""

    node_id: int
    guard: Guard


@dataclass(frozen=True)
class Reasons:
    """Why two are apart. All empty: no trusted event ever tied them, directly or through others."""

    shared: Sequence[Shared] = ()
    revoked: Sequence[Link] = ()
    refused: Sequence[Refusal] = ()


@dataclass(frozen=True)
class Verdict:
    """`path`: the pairs from the one to the other, in that order, where they are one customer; else why not."""

    one: bool
    path: Sequence[Link] = ()
    why_not: Reasons = Reasons()


@dataclass(frozen=True)
class Case:
    """The part of the ledger around a question. `rows`: strong nodes as they stand; `links`: first sayings of pairs
    between them, whether they count or not."""

    rows: Mapping[int, Strong]
    links: Sequence[Link]
    rules: Rules
    rulings: Rulings

    def counted(self) -> list[Link]:
        """The links that are folded, those that operators said among them."""
        eligible = {node_id for node_id, row in self.rows.items() if row.guard is None}
        return links_that_count(self.links, eligible, self.rulings)

    def joined(self) -> list[Link]:
        """The links that made the cores: between any two nodes of a core there is one path of them."""
        return fold(self._nodes(), self.counted(), self.rules, self.rulings).joined

    def refusals(self) -> list[Refusal]:
        """Links that were refused, each with what it would have broken when its turn came."""
        nodes, counted = self._nodes(), in_fold_order(self.counted(), self._nodes())
        refused = []
        for link in fold(nodes, counted, self.rules, self.rulings).refused:
            earlier = counted[: counted.index(link)]
            cores = fold(nodes, earlier, self.rules, self.rulings).cores
            union = frozenset().union(*(core for core in cores if link.a in core or link.b in core))
            breach = breach_of((nodes[node_id] for node_id in union), self.rules, self.rulings)
            refused.append(Refusal(link, breach or Breach(None)))
        return refused

    def _nodes(self) -> dict[int, Node]:
        return {node_id: row.node for node_id, row in self.rows.items()}


def why(case: Case, a: int, b: int) -> Verdict:
    """Whether two strong nodes are one customer, and why."""
    if case.rows[a].core == case.rows[b].core:
        return Verdict(True, path_between(case.joined(), a, b))
    return Verdict(False, why_not=_reasons(case, a, b))


def path_between(links: Iterable[Link], a: int, b: int) -> list[Link]:
    """The shortest way from one node to another over these links; empty when there is none."""
    beside: dict[int, list[tuple[int, Link]]] = {}
    for link in links:
        beside.setdefault(link.a, []).append((link.b, link))
        beside.setdefault(link.b, []).append((link.a, link))
    came: dict[int, tuple[int, Link] | None] = {a: None}
    queue = deque([a])
    while queue and b not in came:
        at = queue.popleft()
        for other, link in beside.get(at, ()):
            if other not in came:
                came[other] = (at, link)
                queue.append(other)
    path, here = [], came.get(b)
    while here is not None:
        path.append(here[1])
        here = came[here[0]]
    return path[::-1]


def _reasons(case: Case, a: int, b: int) -> Reasons:
    """What stands on the way from the one to the other, as far as trusted events ever tied them."""
    rows = case.rows
    ends = {rows[a].core, rows[b].core}
    crossing = [link for link in path_between(case.links, a, b) if rows[link.a].core != rows[link.b].core]
    crossing += [link for link in case.links if link not in crossing and {rows[link.a].core, rows[link.b].core} == ends]
    named = dict.fromkeys([a, b, *(end for link in crossing for end in link[1:])])
    return Reasons(
        shared=[Shared(node_id, guard) for node_id in named for guard in [rows[node_id].guard] if guard is not None],
        revoked=[link for link in crossing if both(link.a, link.b) in case.rulings.revoked],
        refused=[one for one in case.refusals() if one.link in crossing],
    )


def said_by_operator(link: Link) -> bool:
    """Whether no event says so, but an operator: its event id is then the number of the control."""
    return link.at.time == BEFORE_ALL_TIME


@dataclass(frozen=True)
class Browser:
    """Whose a browser is. `deciding`: the claims of the best rank, the earliest first; `others`: those that do not
    decide, weaker or not counted."""

    held: Held
    blocked: bool
    deciding: Sequence[Claimed]
    others: Sequence[Claimed]


def why_held(claims: Iterable[Claimed], *, blocked: bool) -> Browser:
    """Who holds a browser, and by which claims."""
    said = sorted(claims, key=lambda claim: (claim.day, claim.rank, claim.strong))
    best = min((claim.rank for claim in said if claim.counts), default=None)
    deciding = [claim for claim in said if claim.counts and claim.rank == best]
    return Browser(holder(said, blocked=blocked), blocked, deciding, [claim for claim in said if claim not in deciding])
