"""What must come out of a history, from its sayings alone: nothing is kept, moved or numbered in order of arrival.

A node is an identifier and the act that began its era; facts stay under identifier and day until the ledger is built.
`canonical` then says who is who.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from tern_common.identifiers import Identifier
from tern_identity.domain.canonical import canonical
from tern_identity.domain.ledger import At, ClaimKey, Home, Ledger, Node, PairKey
from tern_identity.domain.rules import Rules
from tern_identity.domain.rulings import Ruling, both, rulings_of, words_of_revert, words_of_split
from unit.identity.acts import Act, Item, Kind
from unit.identity.histories import Said, hear
from unit.identity.memory_ledger import home_id_of
from unit.identity.words import Partition, in_words

DEAD = -1


class Key(NamedTuple):
    """An identifier in the era that act number `begun` began; in its first one: 0."""

    identifier: Identifier
    begun: int = 0


class Word(NamedTuple):
    statement: int
    kind: Kind
    group: tuple[Key, ...]
    rest: tuple[Key, ...]


@dataclass
class Standing:
    """What operators' acts come to: eras by the first day of each, and words by the act that said them."""

    eras: dict[Identifier, dict[int, int]] = field(default_factory=dict)
    words: dict[int, Word] = field(default_factory=dict)
    begun: dict[int, tuple[Identifier, int]] = field(default_factory=dict)

    def key(self, identifier: Identifier, day: int) -> Key:
        eras = self.eras.get(identifier, {})
        first = max((start for start in eras if start <= day), default=None)
        return Key(identifier, 0 if first is None else eras[first])

    def take(self, number: int, act: Act) -> None:
        if act.kind == "undo":
            self.take_back(number - act.back)
        elif act.kind == "retire":
            eras = self.eras.setdefault(act.group[0], {})
            if act.day not in eras:
                eras[act.day] = number
                self.begun[number] = act.group[0], act.day
        else:
            group = tuple(self.key(one, act.day) for one in act.group)
            rest = tuple(self.key(one, act.day) for one in act.rest)
            self.words[number] = Word(number, act.kind, group, rest)

    def take_back(self, number: int) -> None:
        self.words.pop(number, None)
        if number in self.begun:
            identifier, day = self.begun.pop(number)
            del self.eras[identifier][day]

    def lives(self, key: Key) -> bool:
        return not key.begun or key.begun in self.begun

    def keys(self) -> Iterator[Key]:
        """Everyone whom operators named."""
        yield from (Key(identifier, number) for identifier, eras in self.eras.items() for number in (0, *eras.values()))


def standing_of(history: Iterable[Item]) -> Standing:
    standing = Standing()
    for number, act in enumerate((item for item in history if isinstance(item, Act)), start=1):
        standing.take(number, act)
    return standing


def expected(history: Sequence[Item], rules: Rules) -> Partition:
    """Who is who after all of it, in words."""
    standing = standing_of(history)
    keys = _keys(history, standing, rules)
    number = {key: place for place, key in enumerate(sorted(keys), start=1)}
    nodes = {place: _node(place, key, rules) for key, place in number.items()}
    ledger = _facts(history, standing, number, rules)
    blocked = frozenset(number[key] for key in keys if rules.blocks(*key.identifier))
    said = rulings_of(_rulings(standing, number))
    graph = canonical(
        replace(ledger, nodes=nodes, rulings=replace(said, blocked=said.blocked | blocked)),
        rules,
    )
    names = {place: _name(key, standing) for key, place in number.items()}
    return in_words(names, graph.core_of, graph.guards, graph.customers)


def _keys(history: Iterable[Item], standing: Standing, rules: Rules) -> set[Key]:
    named: set[Key] = set(standing.keys())
    for item in history:
        if isinstance(item, Said):
            named |= {Key(one) for one in hear(item, rules.known).reading.identifiers}
        else:
            named |= {Key(one) for one in (*item.group, *item.rest)}
    return named


def _node(place: int, key: Key, rules: Rules) -> Node:
    namespace, value = key.identifier
    return Node(place, namespace, rules.known[namespace].kind, f"{namespace}:{value}".encode())


def _name(key: Key, standing: Standing) -> str:
    return f"{key.identifier.value} from {standing.begun[key.begun][1]}" if key.begun else key.identifier.value


def _facts(history: Iterable[Item], standing: Standing, number: Mapping[Key, int], rules: Rules) -> Ledger:
    """Each event in its turn: the minimum of what was said, under the eras that hold in the end."""
    pairs: dict[PairKey, At] = {}
    claims: set[ClaimKey] = set()
    homes: dict[str, Home] = {}

    def node(identifier: Identifier, day: int) -> int:
        return number[standing.key(identifier, day)]

    for item in history:
        if isinstance(item, Act):
            continue
        said = hear(item, rules.known)
        reading, source, day = said.reading, said.source_id, said.reading.day
        for place, (a, b) in enumerate(reading.pairs):
            key = node(a, day), node(b, day), day, source
            at = At(said.time, said.message_id, place)
            pairs[key] = min(pairs.get(key, at), at)
        claims |= {(node(one.weak, day), node(one.strong, day), one.rank, day, source) for one in reading.claims}
        for filing in (reading.home, *(door for door, _ in reading.doors)):
            homes[home_id_of(filing)] = Home(tuple(node(one, filing.day) for one in filing.identifiers), filing.day)
    return Ledger({}, pairs, claims, homes)


def _rulings(standing: Standing, number: Mapping[Key, int]) -> Iterator[Ruling]:
    """What is said about an era that was taken back says nothing."""

    def places(keys: Iterable[Key]) -> list[int]:
        return [number[key] if standing.lives(key) else DEAD for key in keys]

    for statement, kind, group, rest in standing.words.values():
        said = _words(statement, kind, places(group), places(rest))
        yield from (word for word in said if DEAD not in (word.a, word.b))


def _words(statement: int, kind: Kind, group: list[int], rest: list[int]) -> list[Ruling]:
    match kind:
        case "revert":
            return words_of_revert(statement, group[0], rest[0])
        case "split":
            return words_of_split(statement, group, rest)
        case "cannot":
            return [Ruling(statement, "cannot", *both(group[0], rest[0]))]
        case "block":
            return [Ruling(statement, "block", group[0])]
        case _:
            return [Ruling(statement, "allow", group[0])]
