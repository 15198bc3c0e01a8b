"""What an operator who knows the truth does about a false join, as the bodies of controls. Asks nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from support.world.building import World
from support.world.errors import Handed
from support.world.saying import Json, Said
from tern_common.identifiers import Identifier


@dataclass(frozen=True)
class Step:
    """Two identifiers that an event says are one person's: part of an explanation.

    `merge_id`: of the two customers that it merged; none where one of them was not known before.
    """

    a: Identifier
    b: Identifier
    event_id: str
    merge_id: str | None

    @property
    def ends(self) -> tuple[Identifier, Identifier]:
        return self.a, self.b


def retire(handed: Handed) -> Json:
    """From that day on the number is somebody else's."""
    return {
        "kind": "retire",
        "identifier": _said(handed.number),
        "day": handed.day.date().isoformat(),
        "reason": "the number was given to somebody else",
    }


def remedy(world: World, path: Sequence[Step]) -> Json:
    """What cuts a path between two persons: at an untrue step if there is one, else at what several persons share."""
    handed = {one.number: one for one in world.handed}
    for end in (end for step in path for end in step.ends if end in handed):
        return retire(handed[end])
    for step in (step for step in path if not _has_one_owner(world, step)):
        return _undo(world, step)
    shared = [end for step in path for end in step.ends if len(world.owners[end]) > 1]
    return block(shared[0])


def block(value: Identifier) -> Json:
    """It stays a contact, and joins nobody."""
    return {"kind": "block", "identifier": _said(value), "reason": "it is no one person's"}


def mixed(world: World, whose: Mapping[str, str]) -> list[list[Said]]:
    """Events that name persons, of customers under which several persons' events are filed."""
    held: dict[str, list[Said]] = {}
    for said in world.said:
        if said.named and said.message_id in whose:
            held.setdefault(whose[said.message_id], []).append(said)
    return [events for events in held.values() if len({said.actor for said in events}) > 1]


def ambiguous(world: World, events: Sequence[Said]) -> list[Identifier]:
    """What these events are filed under that is not one person's: the strongest thing that each of them names."""
    return sorted({said.named[0] for said in events if len(world.owners.get(said.named[0], ())) != 1})


def _has_one_owner(world: World, step: Step) -> bool:
    a, b = (world.owners.get(end, frozenset()) for end in step.ends)
    return not a.isdisjoint(b)


def _undo(world: World, step: Step) -> Json:
    """A number that clerks typed for many is blocked at once; one mistake is taken back by itself."""
    for end in (end for end in step.ends if end not in world.owners):
        if sum(end in said.named for said in world.said) > 1:
            return block(end)
    reason = f"event {step.event_id} was mistyped"
    named: Json = {"merge_id": step.merge_id} if step.merge_id else {"a": _said(step.a), "b": _said(step.b)}
    return {"kind": "revert", **named, "reason": reason}


def _said(one: Identifier) -> Json:
    return {"namespace": one.namespace, "value": one.value}
