"""What is said to the shop, as calls of the tracking API, each with who really acted. That never goes on the wire."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from tern_common.identifiers import Identifier

Json = dict[str, Any]
Door = Literal["server", "browser", "till"]
STRENGTH = ("user_id", "loyalty_card", "phone", "email")


@dataclass(frozen=True)
class Said:
    """One call. `untrue`: its trusted fact was not so when it was said."""

    at: datetime
    actor: int
    door: Door
    call: Json
    identifiers: tuple[Identifier, ...]
    untrue: bool = False

    @property
    def message_id(self) -> str:
        return str(self.call["messageId"])

    @property
    def named(self) -> tuple[Identifier, ...]:
        """Whom it names for certain, strongest first: persons' identifiers from servers, accounts from browsers too."""
        found = [one for one in self.identifiers if one.namespace in STRENGTH]
        sure = [one for one in found if self.door != "browser" or one.namespace == "user_id"]
        return tuple(sorted(sure, key=lambda one: STRENGTH.index(one.namespace)))

    @property
    def cookie(self) -> Identifier | None:
        return next((one for one in self.identifiers if one.namespace == "anonymous_id"), None)

    @property
    def pairs(self) -> Iterator[tuple[Identifier, Identifier]]:
        """Its trusted facts: these two are one person."""
        if self.door != "browser":
            yield from ((self.named[0], other) for other in self.named[1:])


@dataclass(frozen=True)
class Moment:
    """Who acts, when, and which of the shop's programs tells of it."""

    actor: int
    at: datetime
    door: Door


class Scribe:
    """Writes calls down as a shop's programs do: phones and mailboxes in the forms that people type."""

    def __init__(self, tag: str, chance: random.Random) -> None:
        self._tag = tag
        self._chance = chance
        self._count = 0

    def says(self, moment: Moment, name: str | None, *said: Identifier, untrue: bool = False) -> Said:
        """A track call of that name, or an identify when there is none."""
        self._count += 1
        call: Json = {
            "type": "track" if name else "identify",
            "messageId": f"{self._tag}-{moment.door}-{self._count:06d}",
            "timestamp": moment.at.isoformat(),
        }
        if name:
            call["event"] = name
        for one in said:
            self._write(call, one)
        return Said(moment.at, moment.actor, moment.door, call, said, untrue)

    def _write(self, call: Json, one: Identifier) -> None:
        match one.namespace:
            case "user_id":
                call["userId"] = one.value
            case "anonymous_id":
                call["anonymousId"] = one.value
            case "phone" | "email":
                part = "traits" if call["type"] == "identify" else "properties"
                call.setdefault(part, {})[one.namespace] = self._as_typed(one)
            case _:
                context = call.setdefault("context", {})
                context.setdefault("externalIds", []).append({"type": one.namespace, "id": one.value})

    def _as_typed(self, one: Identifier) -> str:
        if one.namespace == "email":
            return self._chance.choice((one.value, one.value.capitalize(), f" {one.value}"))
        bare = one.value.removeprefix("+86")
        return self._chance.choice((one.value, bare, f"{bare[:3]} {bare[3:7]} {bare[7:]}"))
