"""The algorithm: what news does to the groups it touches (identity.md §4). `canonical.py` says what must come out.

Where nothing can be refused there is no order, and the newest pair of a group can be decided alone; only a late pair in
a group that may not be one customer, or a value that enters or leaves quarantine, needs the fold from the ledger.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import NamedTuple

from tern_identity.domain.folding import fold, groups_of, links_that_count, name_of
from tern_identity.domain.ledger import At, Link, Node
from tern_identity.domain.rules import Guard, Partner, Rules, admissible, ruled_guard
from tern_identity.domain.rulings import Rulings, both


class Strong(NamedTuple):
    """A strong node as it stands. `grp` is the smallest number in its group; `core` the node that names its core."""

    node: Node
    grp: int
    core: int
    guard: Guard | None


class Group(NamedTuple):
    """What is known of a group. `newest`: the last of its pairs in event time. `contested`: it may not be one customer
    as a whole, so that here, and only here, order decides. `deferred`: a fold from the ledger is owed. `rules`: the
    version of the rules by which its cores were made."""

    newest: At | None = None
    contested: bool = False
    deferred: bool = False
    rules: int = 0


ALONE = Group()


@dataclass
class Regrouped:
    """`after`: every node of the groups, as it is to be; `groups`: by their number. `refused`: links that broke a
    limit. `stale`: nodes whose groups must be folded from the ledger first."""

    after: dict[int, Strong]
    groups: dict[int, Group]
    refused: list[Link] = field(default_factory=list)
    stale: set[int] = field(default_factory=set)

    def changed(self, before: Mapping[int, Strong]) -> list[Strong]:
        """Nodes that are to be written."""
        return [now for node_id, now in self.after.items() if now != before[node_id]]


def moved(before: Strong, now: Strong) -> bool:
    """Whether browsers and homes under a node may have another customer: its group alone means nothing to them."""
    return before.core != now.core or (before.guard is None) != (now.guard is None)


def guards_after(
    touched: Set[int], links: Sequence[Link], known: Mapping[int, Strong], rules: Rules, rulings: Rulings
) -> dict[int, Guard | None]:
    """The guards of nodes whose pairs changed. `links`: all of theirs; `known`: they and their partners."""
    partners: dict[int, list[Partner]] = defaultdict(list)
    for at, a, b in links:
        if both(a, b) not in rulings.revoked:
            partners[a].append(Partner(known[b].node.namespace, known[b].node.kind, at.time))
            partners[b].append(Partner(known[a].node.namespace, known[a].node.kind, at.time))
    return {node_id: ruled_guard(node_id, partners[node_id], rules, rulings) for node_id in touched}


def flipped(before: Mapping[int, Strong], guards: Mapping[int, Guard | None]) -> set[int]:
    """Nodes that enter or leave quarantine."""
    return {node_id for node_id, guard in guards.items() if (guard is None) != (before[node_id].guard is None)}


def freed(before: Mapping[int, Strong], guards: Mapping[int, Guard | None]) -> set[int]:
    """Nodes that leave quarantine: the groups of *all* their partners must be locked too, since a partner that is
    itself about to be freed elsewhere would otherwise miss this one, and this one it."""
    return {node_id for node_id in flipped(before, guards) if guards[node_id] is None}


def advance(
    before: Mapping[int, Strong], groups: Mapping[int, Group], news: Sequence[Link], rules: Rules, rulings: Rulings
) -> Regrouped:
    """Takes pairs between eligible nodes into their groups, one by one. `news`: in fold order, each said for the first
    time, or earlier than was known. What cannot be decided thus is left `stale`; its nodes form one group already."""
    board = _Board(before, groups, rules, rulings)
    for link in news:
        board.take(link)
    return board.regrouped()


def regroup(before: Mapping[int, Strong], links: Iterable[Link], rules: Rules, rulings: Rulings) -> Regrouped:
    """Folds whole groups from the ledger. `before`: all their nodes, with the guards that hold now; `links`: all that
    end in them."""
    nodes = {node_id: row.node for node_id, row in before.items()}
    eligible = {node_id for node_id, row in before.items() if row.guard is None}
    counted = links_that_count(links, eligible, rulings)
    folded = fold(nodes, counted, rules, rulings)
    core_of = {node_id: name for core in folded.cores for name in [name_of(core, nodes)] for node_id in core}
    members = groups_of(nodes, counted)
    grp_of = {node_id: number for group in members for number in [min(group)] for node_id in group}
    newest: dict[int, At] = {}
    for link in counted:
        newest[grp_of[link.a]] = max(newest.get(grp_of[link.a], link.at), link.at)
    groups = {
        number: Group(
            newest.get(number),
            not admissible((nodes[node_id] for node_id in group), rules, rulings),
            rules=rules.version,
        )
        for group in members
        for number in [min(group)]
    }
    after = {node_id: row._replace(grp=grp_of[node_id], core=core_of[node_id]) for node_id, row in before.items()}
    return Regrouped(after, groups, folded.refused)


class _Board:
    """Groups and cores while pairs are taken in."""

    def __init__(
        self, before: Mapping[int, Strong], groups: Mapping[int, Group], rules: Rules, rulings: Rulings
    ) -> None:
        self._rows = dict(before)
        self._rules, self._rulings = rules, rulings
        self._group_of: dict[int, _Members] = {}
        self._core_of: dict[int, set[int]] = {}
        self._refused: list[Link] = []
        gathered: dict[int, _Members] = {}
        cores: dict[int, set[int]] = {}
        for node_id, row in before.items():
            known = groups.get(row.grp, ALONE)
            members = gathered.setdefault(row.grp, _Members(known))
            members.nodes.add(node_id)
            self._group_of[node_id] = members
            core = cores.setdefault(row.core, set())
            core.add(node_id)
            self._core_of[node_id] = core

    def take(self, link: Link) -> None:
        """One pair: clean → one core at any age; the newest of a contested group → decided alone; else stale."""
        ours, theirs = self._group_of[link.a], self._group_of[link.b]
        contested = ours.contested or theirs.contested
        clean = not contested and (ours is theirs or self._may_be_one(ours.nodes | theirs.nodes))
        late = any(group.newest is not None and link.at <= group.newest for group in (ours, theirs))
        outdated = self._is_outdated(ours) or self._is_outdated(theirs)
        stale = ours.stale or theirs.stale or outdated or (late and not clean)
        group = self._unite_groups(ours, theirs)
        group.newest = link.at if group.newest is None else max(group.newest, link.at)
        group.contested, group.stale = not clean, stale
        group.rules = 0 if outdated else self._rules.version
        if not stale:
            self._unite_cores(link, clean=clean)

    def regrouped(self) -> Regrouped:
        """What came of it. Nodes that are stale keep the core they had."""
        groups: dict[int, Group] = {}
        stale: set[int] = set()
        for members in {id(members): members for members in self._group_of.values()}.values():
            number = min(members.nodes)
            groups[number] = Group(members.newest, members.contested, members.deferred, members.rules)
            for node_id in members.nodes:
                self._rows[node_id] = self._rows[node_id]._replace(grp=number)
            if members.stale:
                stale |= members.nodes
        self._name_cores(stale)
        return Regrouped(self._rows, groups, self._refused, stale)

    def _is_outdated(self, group: _Members) -> bool:
        """Whether its cores were made by other rules: what they would have refused is not known."""
        return group.rules != self._rules.version and len(group.nodes) > 1

    def _name_cores(self, stale: Collection[int]) -> None:
        nodes = {node_id: row.node for node_id, row in self._rows.items()}
        for core in {id(core): core for core in self._core_of.values()}.values():
            if not core.isdisjoint(stale):  # their group is stale, and so all of them are
                continue
            name = name_of(core, nodes)
            for node_id in core:
                self._rows[node_id] = self._rows[node_id]._replace(core=name)

    def _unite_groups(self, ours: _Members, theirs: _Members) -> _Members:
        if ours is theirs:
            return ours
        large, small = (ours, theirs) if len(ours.nodes) >= len(theirs.nodes) else (theirs, ours)
        large.nodes |= small.nodes
        large.newest = max((at for at in (ours.newest, theirs.newest) if at is not None), default=None)
        large.deferred = ours.deferred or theirs.deferred
        self._group_of.update(dict.fromkeys(small.nodes, large))
        return large

    def _unite_cores(self, link: Link, *, clean: bool) -> None:
        ours, theirs = self._core_of[link.a], self._core_of[link.b]
        if ours is theirs:
            return
        if not clean and not self._may_be_one(ours | theirs):
            self._refused.append(link)
            return
        ours |= theirs
        self._core_of.update(dict.fromkeys(theirs, ours))

    def _may_be_one(self, nodes: Collection[int]) -> bool:
        return admissible((self._rows[node_id].node for node_id in nodes), self._rules, self._rulings)


class _Members:
    def __init__(self, known: Group) -> None:
        self.nodes: set[int] = set()
        self.newest, self.contested, self.deferred, self.rules = known
        self.stale = False
