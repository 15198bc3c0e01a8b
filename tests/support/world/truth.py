"""What was joined, judged by what is true. The definitions stand in docs/realistic-data.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from support.world.building import World
from support.world.saying import STRENGTH, Said
from tern_common.identifiers import Identifier

Pair = tuple[Identifier, Identifier]
Persons = frozenset[int]
Verdict = Literal["hers", "another's", "nobody's", "a visitor's"]


@dataclass(frozen=True)
class Judgement:
    """Pairs: those `joined` are one customer, those `true` are one person."""

    joined: int
    true: int
    both: int

    @property
    def precision(self) -> float:
        return self.both / self.joined

    @property
    def recall(self) -> float:
        return self.both / self.true


def stated(world: World) -> list[Identifier]:
    """Every identifier of persons that anybody said to the shop, also those typed in browsers."""
    return sorted({one for said in world.said for one in said.identifiers if one.namespace in STRENGTH})


def joined(customers: Mapping[Identifier, str]) -> frozenset[Pair]:
    """Pairs of identifiers that are one customer."""
    return frozenset(_pairs(_held(customers).values()))


def true(world: World) -> frozenset[Pair]:
    """Pairs of identifiers, of those that were stated, that one person has."""
    belongings: dict[int, list[Identifier]] = {}
    for one in stated(world):
        for person in world.owners.get(one, ()):
            belongings.setdefault(person, []).append(one)
    return frozenset(_pairs(belongings.values()))


def promised(world: World) -> frozenset[Pair]:
    """Pairs that true trusted facts connect, through identifiers that were one person's alone the whole time.

    Nothing about these is contested, so the design says that each of them is joined (identity.md §3).
    """
    handed = {one.number for one in world.handed}
    part: dict[Identifier, set[Identifier]] = {}
    for a, b in (pair for said in world.said for pair in said.pairs):
        owners = world.owners.get(a, frozenset())
        if len(owners) != 1 or owners != world.owners.get(b) or {a, b} & handed:
            continue
        union = part.get(a, {a}) | part.get(b, {b})
        part.update(dict.fromkeys(union, union))
    return frozenset(_pairs(part.values()))


def judge_identifiers(world: World, customers: Mapping[Identifier, str]) -> Judgement:
    """Over all stated identifiers. `customers` leaves out what is in quarantine: that is joined with nothing."""
    found, so = joined(customers), true(world)
    return Judgement(len(found), len(so), len(found & so))


def judge_events(world: World, customers: Mapping[str, str]) -> Judgement:
    """Over pairs of events that name a person. `customers`: message id → customer, without what is nobody's."""
    named = [(customers.get(said.message_id, said.message_id), said.actor) for said in world.said if said.named]
    return Judgement(
        joined=_same(customer for customer, _ in named),
        true=_same(actor for _, actor in named),
        both=_same(named),
    )


def false_joins(world: World, customers: Mapping[Identifier, str]) -> list[Pair]:
    """Pairs that are one customer and not one person."""
    return sorted(joined(customers) - true(world))


def persons_behind(world: World, customers: Mapping[Identifier, str]) -> Mapping[str, Persons]:
    """Customer → the persons who have all its identifiers: one, unless something is shared or falsely joined."""
    return {
        customer: frozenset.intersection(*(world.owners.get(one, frozenset()) for one in members))
        for customer, members in _held(customers).items()
    }


def verdict(said: Said, customer: str | None, behind: Mapping[str, Persons]) -> Verdict:
    """Whose an event became that names nobody. `customer`: None when it is nobody's."""
    if customer is None:
        return "nobody's"
    if customer not in behind:
        return "a visitor's"
    return "hers" if said.actor in behind[customer] else "another's"


def users_of_cookies(world: World) -> Mapping[Identifier, Persons]:
    """Who really shopped under each cookie."""
    found: dict[Identifier, set[int]] = {}
    for said in world.said:
        if said.cookie:
            found.setdefault(said.cookie, set()).add(said.actor)
    return {cookie: frozenset(users) for cookie, users in found.items()}


def _held(customers: Mapping[Identifier, str]) -> dict[str, list[Identifier]]:
    held: dict[str, list[Identifier]] = {}
    for one, customer in customers.items():
        held.setdefault(customer, []).append(one)
    return held


def _pairs(groups: Iterable[Iterable[Identifier]]) -> Iterator[Pair]:
    for members in groups:
        yield from combinations(sorted(members), 2)


def _same(labels: Iterable[Hashable]) -> int:
    return sum(count * (count - 1) // 2 for count in Counter(labels).values())
