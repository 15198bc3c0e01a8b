"""The algorithm with operators: words in force or taken back; eras by rewriting facts and homes (identity.md §6)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from tern_common.identifiers import Identifier
from tern_identity.domain.ledger import Node
from tern_identity.domain.placing import Customer
from tern_identity.domain.rules import Rules
from tern_identity.domain.rulings import (
    Ruling,
    rulings_of,
    word_on,
    words_of_cannot_link,
    words_of_revert,
    words_of_split,
)
from unit.identity.acts import Act
from unit.identity.histories import Said, heard
from unit.identity.memory_graph import MemoryGraph
from unit.identity.memory_ledger import NO_NEWS, Era


@dataclass
class Control:
    """An act on record: the words that it means, or the era that it began."""

    words: list[Ruling] = field(default_factory=list)
    begun: tuple[Identifier, Era] | None = None
    undone: bool = False


class RuledGraph(MemoryGraph):
    """Keeps the graph up to date act by act."""

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self.controls: list[Control] = []
        self.listed: set[int] = set()
        self.instead: dict[int, int] = {}

    def take(self, step: Sequence[Said] | Act) -> None:
        """A batch of events, or what an operator does."""
        if isinstance(step, Act):
            self.act(step)
        else:
            self.file(heard(step, self.rules.known))

    def born(self, node: Node, *, blocked: bool) -> None:
        super().born(node, blocked=blocked)
        if blocked:
            self.listed.add(node.node_id)

    # -- controls -------------------------------------------------------------------------------------------------

    def act(self, act: Act) -> None:
        for identifier in (*act.group, *act.rest):
            self.bear(identifier)
        control = Control()
        self.controls.append(control)
        if act.kind == "undo":
            self.take_back(self.controls[-1 - act.back] if act.back < len(self.controls) else control)
        elif act.kind == "retire":
            self.begin_era(act.group[0], act.day, control)
        else:
            control.words = self._words(len(self.controls), act)
            self.rule(control.words)

    def _words(self, statement: int, act: Act) -> list[Ruling]:
        group = [self.number(one, act.day) for one in act.group]
        rest = [self.number(one, act.day) for one in act.rest]
        match act.kind:
            case "revert":
                return words_of_revert(statement, group[0], rest[0])
            case "split":
                return words_of_split(statement, group, rest)
            case "cannot":
                return words_of_cannot_link(statement, group, rest)
            case "block":
                return word_on(statement, "block", group[0])
            case _:
                return word_on(statement, "allow", group[0])

    def take_back(self, control: Control) -> None:
        if control.undone:
            return
        control.undone = True
        if control.begun is not None:
            self.end_era(*control.begun)
        else:
            self.rule(control.words)

    def rule(self, words: Iterable[Ruling]) -> None:
        """What these words say has begun to hold, or has ceased to."""
        self.take_words()
        self.settle_anew({node for _, _, *named in words for node in named if node != 0})

    def take_words(self) -> None:
        """All words that hold now. What is said about an era that was taken back says nothing."""
        live = [ruling for control in self.controls if not control.undone for ruling in control.words]
        said = rulings_of(one for one in live if one.a not in self.instead and one.b not in self.instead)
        self.rulings = replace(said, blocked=said.blocked | self.listed)

    def settle_anew(self, nodes: Collection[int]) -> None:
        strong = {node for node in nodes if node in self.strong}
        self.settle(NO_NEWS, strong, set(nodes) - strong)

    # -- eras -----------------------------------------------------------------------------------------------------

    def begin_era(self, identifier: Identifier, day: int, control: Control) -> None:
        """From this day on the identifier is somebody else's: a new node, and all that is filed by day follows it."""
        if any(era.from_day == day for era in self.eras[identifier]):
            return
        before = self.number(identifier, day)
        self.bear(identifier, day)
        era = self.eras[identifier][-1]
        control.begun = identifier, era
        self.settle_anew({before, era.node_id} | self.move(before, era.node_id, day))

    def end_era(self, identifier: Identifier, era: Era) -> None:
        """It never began: what was filed under it goes back, and so does its name."""
        self.eras[identifier].remove(era)
        back = self.number(identifier, era.from_day)
        self.instead = {node: back if to == era.node_id else to for node, to in self.instead.items()}
        self.instead[era.node_id] = back
        del self.names[era.node_id]
        self.take_words()
        self.settle_anew({back, era.node_id} | self.move(era.node_id, back, era.from_day))

    def move(self, of: int, to: int, day: int) -> set[int]:
        """Facts and homes of that day and later. Returns whoever was named beside it: others are their partners now, or
        their browsers."""
        late = [key for key in self.pairs if of in key[:2] and key[2] >= day]
        claims = [key for key in self.claims if of in key[:2] and key[3] >= day]
        for a, b, said_on, source in late:
            self.pairs[_instead(a, of, to), _instead(b, of, to), said_on, source] = self.pairs.pop(
                (a, b, said_on, source)
            )
        for weak, strong, rank, said_on, source in claims:
            self.claims.remove((weak, strong, rank, said_on, source))
            self.claims.add((_instead(weak, of, to), _instead(strong, of, to), rank, said_on, source))
        for home_id, home in self.homes.items():
            if home.day >= day:
                self.homes[home_id] = home._replace(nodes=tuple(_instead(node, of, to) for node in home.nodes))
        return {node for a, b, *_ in late for node in (a, b)} | {node for a, b, *_ in claims for node in (a, b)} - {of}

    def resolve(self, customer: Customer) -> Customer:
        node = self.instead.get(customer.node_id, customer.node_id)
        return super().resolve(customer._replace(node_id=node))


def _instead(node: int, of: int, to: int) -> int:
    return to if node == of else node


def ruled(graph: RuledGraph, steps: Iterable[Sequence[Said] | Act]) -> RuledGraph:
    """The graph, after all of these and what the worker owes."""
    for step in steps:
        graph.take(step)
    graph.fold_deferred()
    return graph
