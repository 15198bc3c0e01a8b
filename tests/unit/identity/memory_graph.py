"""The algorithm over dictionaries: the steps that the store takes in SQL, in the same order, with the same functions.

Its parts are methods, so that a test can break one of them on purpose.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import replace
from typing import NamedTuple

from tern_identity.domain.collapsing import Heard, collapse
from tern_identity.domain.holding import NOBODYS, UNHELD, Claimed, Held, holder
from tern_identity.domain.ledger import At, ClaimKey, Link, Node, PairKey, counted_claims, first_links, in_fold_order
from tern_identity.domain.placing import Customer, Standpoint, place, resolve
from tern_identity.domain.reading import Reading
from tern_identity.domain.regrouping import (
    Group,
    Regrouped,
    Strong,
    advance,
    flipped,
    freed,
    guards_after,
    moved,
    regroup,
)
from tern_identity.domain.rules import Guard, Rules
from tern_identity.domain.rulings import both
from unit.identity.memory_ledger import NO_NEWS, MemoryLedger, News, home_id_of
from unit.identity.words import Partition, in_words


class Member(NamedTuple):
    customer: Customer
    version: int


class Record(NamedTuple):
    """What consumers read: whose a home is; with the event that is filed there, or without one."""

    home_id: str
    member: Member
    message_id: str | None = None


class MemoryGraph(MemoryLedger):
    """Keeps the graph up to date batch by batch."""

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self.strong: dict[int, Strong] = {}
        self.groups: dict[int, Group] = {}
        self.crowded: set[int] = set()
        self.held: dict[int, Held] = {}
        self.members: dict[str, Member] = {}
        self.records: list[Record] = []
        self.version = 0
        self.refolds = 0
        self.settled = 0

    def file(self, events: Sequence[Heard]) -> None:
        facts = collapse(self.hear(event) for event in events)
        for identifier, _ in facts.identifiers:
            self.bear(identifier)
        news = self.news_of(facts)
        if news != NO_NEWS:
            self.settle(news)
        for event in events:
            home_id = home_id_of(event.reading.home)
            self.records.append(Record(home_id, self.members[home_id], event.message_id))

    def hear(self, event: Heard) -> Heard:
        return event

    def born(self, node: Node, *, blocked: bool) -> None:
        if blocked:
            self.rulings = replace(self.rulings, blocked=self.rulings.blocked | {node.node_id})
        if node.is_weak:
            self.held[node.node_id] = NOBODYS if blocked else UNHELD
            return
        self.strong[node.node_id] = Strong(node, node.node_id, node.node_id, "blocked" if blocked else None)
        self.groups[node.node_id] = Group()

    # -- one settlement, as the store does it ---------------------------------------------------------------------

    def settle(self, news: News, again: Collection[int] = (), again_weak: Collection[int] = ()) -> None:
        """`again`: strong nodes whose groups are folded from the ledger; `again_weak`: browsers to be asked anew."""
        self.settled += 1
        self.pairs |= news.pairs
        self.claims |= news.claims
        self.homes |= news.homes
        dirty = self.refold(news.pairs, set(again))
        recounted = self.recount(news.claims, set(again))
        doubtful = {weak for weak, *_ in news.claims} | set(again_weak)
        doubtful |= self.claimed_by(dirty | recounted | set(again)) | self.kept_from(dirty)
        turned = self._rehold(doubtful, dirty)
        self._replace(self.filed_under(dirty | turned | {*again, *again_weak}) | news.homes.keys())

    def refold(self, news: Mapping[PairKey, At], again: set[int]) -> set[int]:
        """Takes pairs into their groups; folds from the ledger what is owed. Returns whoever moved."""
        touched = {node for key in news for node in key[:2]} | again
        if not touched:
            return set()
        asked = {node for node in touched if self.strong[node].guard not in ("partners", "blocked")} | again
        links = self.links_of(asked)
        guards = self.guards(asked, links)
        waiting = self.waiting(links, self.strong, guards)
        before = self._in_groups_of(touched | waiting)
        guarded = {node: row._replace(guard=guards.get(node, row.guard)) for node, row in before.items()}
        nodes = {node: row.node for node, row in before.items()}
        fresh = self._first_said(links, news, guarded)
        step = self.advance(guarded, in_fold_order(fresh, nodes))
        owed = self.owed(step, again | waiting | flipped(before, guards))
        if beyond := self.beyond(step, owed):
            return self.refold(news, again | beyond)
        done = self._folded(step, owed)
        self.strong |= done.after
        self.groups |= done.groups
        return {node for node, now in done.after.items() if moved(before[node], now)}

    def guards(self, asked: Set[int], links: Sequence[Link]) -> dict[int, Guard | None]:
        return guards_after(asked, links, self.strong, self.rules, self.rulings)

    def waiting(
        self, links: Iterable[Link], before: Mapping[int, Strong], guards: Mapping[int, Guard | None]
    ) -> set[int]:
        """Whoever leaves quarantine meets all who waited."""
        free = freed(before, guards)
        pairs = [*(link[1:] for link in links), *self.rulings.together]
        return {end for pair in pairs for end in pair if not free.isdisjoint(pair)}

    def _first_said(self, links: Iterable[Link], news: Mapping[PairKey, At], rows: Mapping[int, Strong]) -> list[Link]:
        said = {Link(at, a, b) for (a, b, *_), at in news.items()}
        return [
            link
            for link in links
            if link in said
            and rows[link.a].guard is None
            and rows[link.b].guard is None
            and both(link.a, link.b) not in self.rulings.revoked
        ]

    def advance(self, rows: Mapping[int, Strong], news: Sequence[Link]) -> Regrouped:
        return advance(rows, self.groups, news, self.rules, self.rulings)

    def regroup(self, rows: Mapping[int, Strong], links: Sequence[Link]) -> Regrouped:
        return regroup(rows, links, self.rules, self.rulings)

    def owed(self, step: Regrouped, seeds: Collection[int]) -> set[int]:
        """Nodes whose groups are to be folded from the ledger now; a giant one with a late pair is only marked."""
        seeded = {step.after[node].grp for node in seeds}
        owed: set[int] = set()
        for number in {row.grp for node, row in step.after.items() if row.grp in seeded or node in step.stale}:
            members = {node for node, row in step.after.items() if row.grp == number}
            if number in seeded or len(members) <= self.rules.deferred_above:
                owed |= members
            else:
                step.groups[number] = step.groups[number]._replace(deferred=True)
        return owed

    def _folded(self, step: Regrouped, owed: set[int]) -> Regrouped:
        if not owed:
            return step
        self.refolds += 1
        rows = {node: step.after[node] for node in owed}
        folded = self.regroup(rows, self.links_of(owed))
        return Regrouped(step.after | folded.after, step.groups | folded.groups)

    def beyond(self, step: Regrouped, owed: set[int]) -> set[int]:
        """Groups are components. Should a stored one be a part of one, the whole is folded, and so mended."""
        rows = self.strong | step.after
        counted = (
            link
            for link in self.links_of(owed)
            if rows[link.a].guard is None
            and rows[link.b].guard is None
            and both(link.a, link.b) not in self.rulings.revoked
        )
        return {end for link in counted for end in link[1:]} - owed

    def fold_deferred(self) -> None:
        """What the worker does with giant groups when it has time."""
        late = {number for number in self.deferred() if self.groups[number].deferred}
        if late:
            self.settle(NO_NEWS, {node for node, row in self.strong.items() if row.grp in late})

    def deferred(self) -> set[int]:
        return {row.grp for row in self.strong.values() if self.groups[row.grp].deferred}

    def _in_groups_of(self, nodes: Iterable[int]) -> dict[int, Strong]:
        groups = {self.strong[node].grp for node in nodes}
        return {node: row for node, row in self.strong.items() if row.grp in groups}

    def links_of(self, nodes: Collection[int]) -> list[Link]:
        links = first_links(self.pairs, self.rules.distrusted)
        return [link for link in links if link.a in nodes or link.b in nodes]

    # -- browsers and homes ---------------------------------------------------------------------------------------

    def recount(self, news: Iterable[ClaimKey], again: set[int]) -> set[int]:
        """News only ever adds browsers; those of `again` are counted anew either way."""
        candidates = ({strong for _, strong, *_ in news} - self.crowded) | again
        browsers = {(strong, weak) for weak, strong, *_ in self.counted_claims()}
        limit = self.rules.browsers_per_account
        crowded = {one for one in candidates if sum(strong == one for strong, _ in browsers) > limit}
        turned = {one for one in candidates if (one in crowded) != (one in self.crowded)}
        self.crowded ^= turned
        return turned

    def counted_claims(self) -> list[ClaimKey]:
        return counted_claims(self.claims, self.rules.distrusted)

    def claimed_by(self, strong: Collection[int]) -> set[int]:
        return {key[0] for key in self.claims if key[1] in strong}

    def kept_from(self, strong: Collection[int]) -> set[int]:
        """Browsers that an operator keeps from any of these: who they are with now is kept from it as well."""
        cannot = self.rulings.cannot
        return {other for node in strong for other in cannot.get(node, ()) if self.nodes[other].is_weak}

    def _rehold(self, doubtful: Collection[int], dirty: set[int]) -> set[int]:
        turned = set()
        for weak in doubtful:
            held = holder(self._claims_on(weak), blocked=weak in self.rulings.blocked)
            if held != self.held[weak] or held.holder in dirty:
                self.held[weak] = held
                turned.add(weak)
        return turned

    def _claims_on(self, weak: int) -> list[Claimed]:
        first: dict[tuple[int, int], int] = {}
        for node, strong, rank, day, _ in self.counted_claims():
            if node == weak:
                first[strong, rank] = min(first.get((strong, rank), day), day)
        return [
            Claimed(strong, rank, day, self.strong[strong].core, self.counts(weak, strong))
            for (strong, rank), day in first.items()
        ]

    def counts(self, weak: int, strong: int) -> bool:
        row = self.strong[strong]
        core = (node for node, other in self.strong.items() if other.core == row.core)
        return row.guard is None and strong not in self.crowded and not self.rulings.parts(weak, core)

    def filed_under(self, nodes: set[int]) -> set[str]:
        return {home_id for home_id, home in self.homes.items() if not nodes.isdisjoint(home.nodes)}

    def _replace(self, touched: Collection[str]) -> None:
        for home_id in sorted(touched):
            home = self.homes[home_id]
            customer = self.place([self.standpoint(node) for node in home.nodes], home.day)
            if home_id not in self.members or self.members[home_id].customer != customer:
                self.version += 1
                self.members[home_id] = Member(customer, self.version)
                self.records.append(Record(home_id, self.members[home_id]))

    def place(self, nodes: Sequence[Standpoint], day: int) -> Customer:
        return place(nodes, day)

    # -- questions ------------------------------------------------------------------------------------------------

    def standpoint(self, node: int) -> Standpoint:
        if node in self.strong:
            row = self.strong[node]
            return Standpoint(node, is_weak=False, core=row.core, eligible=row.guard is None)
        held = self.held[node]
        core = None if held.holder is None else self.strong[held.holder].core
        return Standpoint(node, is_weak=True, held=held, holder_core=core)

    def resolve(self, customer: Customer) -> Customer:
        return resolve(self.standpoint(customer.node_id), customer.standing == "browser")

    def core(self, node: int) -> frozenset[str]:
        core = self.strong[node].core
        return frozenset(self.names[other] for other, row in self.strong.items() if row.core == core)

    def partition(self) -> Partition:
        """Who is who, in words that do not depend on the order of births."""
        core_of = {node: row.core for node, row in self.strong.items()}
        guards = {node: row.guard for node, row in self.strong.items() if row.guard is not None}
        return in_words(self.names, core_of, guards, {key: it.customer for key, it in self.members.items()})


def customer_of(graph: MemoryGraph, reading: Reading) -> Customer:
    return graph.members[home_id_of(reading.home)].customer
