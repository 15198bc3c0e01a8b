"""The ledger over dictionaries: births, eras, and what a batch brings that is not known yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tern_common.identifiers import Identifier
from tern_identity.domain.collapsing import Facts
from tern_identity.domain.ledger import At, ClaimKey, Home, Ledger, Node, PairKey
from tern_identity.domain.reading import Filing
from tern_identity.domain.rules import Rules
from tern_identity.domain.rulings import Rulings

SINCE_EVER = -(1 << 31)


class Era(NamedTuple):
    from_day: int
    node_id: int


@dataclass(frozen=True)
class News:
    pairs: Mapping[PairKey, At] = field(default_factory=dict)
    claims: frozenset[ClaimKey] = frozenset()
    homes: Mapping[str, Home] = field(default_factory=dict)


NO_NEWS = News()


class MemoryLedger:
    """Nodes by number, in all their eras, and the facts about them. `names`: of the nodes whose era was not taken back,
    in words that have no number in them."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.nodes: dict[int, Node] = {}
        self.names: dict[int, str] = {}
        self.eras: dict[Identifier, list[Era]] = {}
        self.pairs: dict[PairKey, At] = {}
        self.claims: set[ClaimKey] = set()
        self.homes: dict[str, Home] = {}
        self.rulings = Rulings()

    def ledger(self) -> Ledger:
        return Ledger(self.nodes, self.pairs, self.claims, self.homes, self.rulings)

    def number(self, identifier: Identifier, day: int) -> int:
        return max(era for era in self.eras[identifier] if era.from_day <= day).node_id

    def bear(self, identifier: Identifier, from_day: int = SINCE_EVER) -> None:
        """The identifier's node, unless it has one; a new era's, when a day is given."""
        if identifier in self.eras and from_day == SINCE_EVER:
            return
        namespace, value = identifier
        node_id = len(self.nodes) + 1
        node = Node(node_id, namespace, self.rules.known[namespace].kind, f"{namespace}:{value}".encode())
        self.nodes[node_id] = node
        self.names[node_id] = value if from_day == SINCE_EVER else f"{value} from {from_day}"
        self.eras.setdefault(identifier, []).append(Era(from_day, node_id))
        self.born(node, blocked=self.rules.blocks(*identifier))

    def born(self, node: Node, *, blocked: bool) -> None:
        """What else a new node needs."""
        raise NotImplementedError

    def news_of(self, facts: Facts) -> News:
        number = self.number
        pairs = {(number(a, day), number(b, day), day, source): at for (a, b, day, source), at in facts.pairs.items()}
        claims = {
            (number(one.weak, day), number(one.strong, day), one.rank, day, source) for one, day, source in facts.claims
        }
        homes = {
            home_id_of(filing): Home(tuple(number(one, filing.day) for one in filing.identifiers), filing.day, is_door)
            for filing, is_door in facts.homes.items()
        }
        return News(
            {key: at for key, at in pairs.items() if key not in self.pairs or self.is_news(at, self.pairs[key])},
            frozenset(claims - self.claims),
            {home_id: home for home_id, home in homes.items() if home_id not in self.homes},
        )

    def is_news(self, at: At, known: At) -> bool:
        return at < known


def home_id_of(filing: Filing) -> str:
    return "+".join(one.value for one in filing.identifiers) + f"@{filing.day}"
