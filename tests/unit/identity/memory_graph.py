"""The algorithm over dictionaries: the steps that the store takes in SQL, in the same order, with the same functions.

Its parts are methods, so that a test can break one of them on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from tern_common.identifiers import Identifier
from tern_identity.domain.collapsing import Facts, Heard, collapse
from tern_identity.domain.holding import UNHELD, Claimed, Held, holder
from tern_identity.domain.ledger import At, Home, Ledger, Link, Node, first_links
from tern_identity.domain.placing import Customer, Standpoint, place, resolve
from tern_identity.domain.reading import Filing, Reading, day_of
from tern_identity.domain.regrouping import Regrouped, Strong, freed, guards_after, moved, regroup
from tern_identity.domain.rules import Guard, Rules

Pairs = dict[tuple[int, int, int], At]
Claims = dict[tuple[int, int, int, int], datetime]


class Member(NamedTuple):
    customer: Customer
    version: int


class MemoryGraph:
    """Keeps the graph up to date batch by batch."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.nodes: dict[int, Node] = {}
        self.number: dict[Identifier, int] = {}
        self.pairs: Pairs = {}
        self.claims: Claims = {}
        self.homes: dict[str, Home] = {}
        self.strong: dict[int, Strong] = {}
        self.crowded: set[int] = set()
        self.held: dict[int, Held] = {}
        self.members: dict[str, Member] = {}
        self.told: list[tuple[str, Member]] = []
        self.version = 0

    # -- one batch, as the store does it --------------------------------------------------------------------------

    def file(self, events: Sequence[Heard]) -> None:
        facts = collapse(self.hear(event) for event in events)
        for identifier in facts.identifiers:
            self._bear(identifier)
        new_homes = self._new_homes(facts)
        new_pairs = self._keep_pairs(facts)
        new_claims = self._keep_claims(facts)
        dirty = self._refold(new_pairs)
        crowded = self._newly_crowded(new_claims)
        claimed = {weak for weak, _ in new_claims} | self.claimed_by(dirty | crowded)
        turned = self._rehold(claimed, dirty)
        self._replace(self.filed_under(dirty | turned) | new_homes)

    def hear(self, event: Heard) -> Heard:
        return event

    def _bear(self, identifier: Identifier) -> None:
        if identifier in self.number:
            return
        node_id = self.number[identifier] = len(self.number) + 1
        node = self.nodes[node_id] = Node(node_id, identifier.namespace, identifier.value.encode())
        if not node.is_weak:
            self.strong[node_id] = Strong(node, node_id, node_id, None)

    def _new_homes(self, facts: Facts) -> set[str]:
        filings = {home_id_of(filing): (filing, is_door) for filing, is_door in facts.homes.items()}
        new = filings.keys() - self.homes.keys()
        for home_id in new:
            filing, is_door = filings[home_id]
            numbers = tuple(self.number[identifier] for identifier in filing.identifiers)
            self.homes[home_id] = Home(numbers, filing.day, is_door)
        return new

    def _keep_pairs(self, facts: Facts) -> set[tuple[int, int]]:
        new = set()
        for (a, b, day), said in facts.pairs.items():
            key = (self.number[a], self.number[b], day)
            if key not in self.pairs or self.is_news(said.at, self.pairs[key]):
                self.pairs[key] = said.at
                new.add(key[:2])
        return new

    def is_news(self, at: At, known: At) -> bool:
        return at < known

    def _keep_claims(self, facts: Facts) -> set[tuple[int, int]]:
        new = set()
        for (claim, day), said in facts.claims.items():
            key = (self.number[claim.weak], self.number[claim.strong], claim.rank, day)
            if key not in self.claims or said.at.time < self.claims[key]:
                self.claims[key] = said.at.time
                new.add(key[:2])
        return new

    def _refold(self, new: set[tuple[int, int]]) -> set[int]:
        if not new:
            return set()
        touched = {node for pair in new for node in pair}
        before = self._groups_of(touched)
        links = self._links_of(before)
        guards = guards_after(touched, links, self.strong, self.rules)
        if free := self.freed(before, guards):
            partners = {end for link in links for end in link[1:] if free & {link.a, link.b}}
            before = self._groups_of(touched | partners)
            links = self._links_of(before)
        regrouped = self.regroup(before, links, guards)
        self.strong |= regrouped.after
        return {node for node, now in regrouped.after.items() if moved(before[node], now)}

    def freed(self, before: dict[int, Strong], guards: dict[int, Guard | None]) -> set[int]:
        return freed(before, guards)

    def regroup(self, before: dict[int, Strong], links: list[Link], guards: dict[int, Guard | None]) -> Regrouped:
        return regroup(before, links, guards, self.rules)

    def _groups_of(self, nodes: Iterable[int]) -> dict[int, Strong]:
        groups = {self.strong[node].grp for node in nodes}
        return {node: row for node, row in self.strong.items() if row.grp in groups}

    def _links_of(self, rows: dict[int, Strong]) -> list[Link]:
        asked = {node for node, row in rows.items() if row.guard != "partners"}
        return [link for link in first_links(self.pairs) if {link.a, link.b} & asked]

    def _newly_crowded(self, new: set[tuple[int, int]]) -> set[int]:
        crowded = {
            strong
            for _, strong in new
            if strong not in self.crowded and len(self.claimed_by({strong})) > self.rules.browsers_per_account
        }
        self.crowded |= crowded
        return crowded

    def claimed_by(self, strong: set[int]) -> set[int]:
        return {key[0] for key in self.claims if key[1] in strong}

    def _rehold(self, claimed: set[int], dirty: set[int]) -> set[int]:
        turned = set()
        for weak in claimed:
            held = holder(self._claims_on(weak))
            if held != self.held.get(weak, UNHELD) or held.holder in dirty:
                self.held[weak] = held
                turned.add(weak)
        return turned

    def _claims_on(self, weak: int) -> list[Claimed]:
        first: dict[tuple[int, int], int] = {}
        for (node, strong, rank, _), time in self.claims.items():
            if node == weak:
                first[strong, rank] = min(first.get((strong, rank), day_of(time)), day_of(time))
        return [
            Claimed(strong, rank, day, self.strong[strong].core, self._counts(strong))
            for (strong, rank), day in first.items()
        ]

    def _counts(self, strong: int) -> bool:
        return self.strong[strong].guard is None and strong not in self.crowded

    def filed_under(self, nodes: set[int]) -> set[str]:
        return {home_id for home_id, home in self.homes.items() if nodes & set(home.nodes)}

    def _replace(self, touched: set[str]) -> None:
        for home_id in sorted(touched):
            home = self.homes[home_id]
            customer = self.place([self.standpoint(node) for node in home.nodes], home.day)
            if home_id not in self.members or self.members[home_id].customer != customer:
                self.version += 1
                self.members[home_id] = Member(customer, self.version)
                self.told.append((home_id, self.members[home_id]))

    def place(self, nodes: Sequence[Standpoint], day: int) -> Customer:
        return place(nodes, day)

    # -- questions ------------------------------------------------------------------------------------------------

    def standpoint(self, node: int) -> Standpoint:
        if node in self.strong:
            row = self.strong[node]
            return Standpoint(node, is_weak=False, core=row.core, eligible=row.guard is None)
        held = self.held.get(node, UNHELD)
        core = None if held.holder is None else self.strong[held.holder].core
        return Standpoint(node, is_weak=True, held=held, holder_core=core)

    def resolve(self, customer: Customer) -> Customer:
        return resolve(self.standpoint(customer.node_id), customer.standing == "browser")

    def ledger(self) -> Ledger:
        return Ledger(self.nodes, self.pairs, self.claims, self.homes)

    def name(self, node: int) -> str:
        return self.nodes[node].hash.decode()

    def core(self, node: int) -> frozenset[str]:
        core = self.strong[node].core
        return frozenset(self.name(other) for other, row in self.strong.items() if row.core == core)

    def partition(self) -> dict[str, object]:
        """Who is who, in words that do not depend on the order of births: each node's and each home's customer."""
        whose: dict[str, object] = {self.name(node): self.core(node) for node in self.strong}
        for home_id, member in self.members.items():
            node, standing = member.customer
            whose[home_id] = self.core(node) if standing == "person" else (standing, self.name(node))
        return whose


def home_id_of(filing: Filing) -> str:
    return "+".join(one.value for one in filing.identifiers) + f"@{filing.day}"


def customer_of(graph: MemoryGraph, reading: Reading) -> Customer:
    return graph.members[home_id_of(reading.home)].customer
