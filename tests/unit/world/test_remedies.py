"""An operator who undoes each false join by its explanation ends with none, even where whatever is paired is joined."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import pytest

from support.world import remedies, shares, truth
from support.world.building import World, build
from support.world.remedies import Step
from support.world.saying import Json, Said
from tern_common.identifiers import Identifier

END = datetime(2026, 3, 31, 15, 30, tzinfo=UTC)


class Gullible:
    """Joins all that is paired, without any guard, and obeys controls."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._cut: set[frozenset[Identifier]] = set()
        self._blocked: set[Identifier] = set()
        self._retired: dict[Identifier, str] = {}

    def obey(self, control: Json) -> None:
        match control:
            case {"kind": "revert", "merge_id": pair}:
                self._cut.add(frozenset(pair))
            case {"kind": "block", "identifier": one}:
                self._blocked.add(Identifier(**one))
            case {"kind": "retire", "identifier": one, "day": day}:
                self._retired[Identifier(**one)] = day

    def steps(self) -> Iterator[Step]:
        for said in self._world.said:
            for a, b in said.pairs:
                pair = frozenset((a, b))
                if pair not in self._cut and not pair & self._blocked and not self._is_of_an_earlier_era(said, a, b):
                    yield Step(a, b, said.message_id, merge_id=pair)  # type: ignore[arg-type]

    def _is_of_an_earlier_era(self, said: Said, *pair: Identifier) -> bool:
        return any(said.at.date().isoformat() < self._retired.get(one, "") for one in pair)

    def customers(self) -> dict[Identifier, str]:
        part = {one: {one} for one in truth.stated(self._world) if one not in self._blocked}
        for step in self.steps():
            union = part[step.a] | part[step.b]
            part.update(dict.fromkeys(union, union))
        return {one: str(min(members)) for one, members in part.items()}

    def why(self, start: Identifier, end: Identifier) -> list[Step]:
        came: dict[Identifier, list[Step]] = {start: []}
        queue = deque([start])
        while end not in came:
            here = queue.popleft()
            for step in self.steps():
                for other in set(step.ends) - came.keys() if here in step.ends else ():
                    came[other] = [*came[here], step]
                    queue.append(other)
        return came[end]


@pytest.mark.parametrize("untruths", [shares.TRUTHFUL, shares.UNTRUTHFUL])
def test_undoing_each_false_join_ends_with_none(untruths: shares.Untruths) -> None:
    world = build("r", 11, 150, END, untruths)
    shop = Gullible(world)
    kinds: Mapping[str, int] = {}
    while found := truth.false_joins(world, shop.customers()):
        control = remedies.remedy(world, shop.why(*found[0]))
        kinds = {**kinds, control["kind"]: kinds.get(control["kind"], 0) + 1}
        shop.obey(control)
    assert set(kinds) == ({"retire", "block", "revert"} if untruths.careless else {"retire", "block"})


def test_events_under_something_shared_are_found() -> None:
    world = build("r", 11, 900, END, shares.UNTRUTHFUL)
    by_contact = {said.message_id: said.named[0].value for said in world.said if said.named}
    mixed = remedies.mixed(world, by_contact)
    assert mixed
    for events in mixed:
        assert remedies.ambiguous(world, events) == [events[0].named[0]]
