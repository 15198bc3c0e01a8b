"""Rules are data: the five kinds, as the models that a rule's YAML must satisfy, with messages for who writes it."""

from __future__ import annotations

import re
from datetime import time, timedelta
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, TypeAdapter, WithJsonSchema, field_validator, model_validator

from tern_common.durations import Duration
from tern_triggers.domain.rules.every_rule import Base, Lane, monotone, require_apart
from tern_triggers.domain.rules.parts import EventFilter, Personal, Step, Waits
from tern_triggers.domain.rules.wrong import Wrong

Fold = Literal["cart", "checkout", "browse", "orders", "first_order", "presence"]

_KEYS: dict[str, str | None] = {"cart": "cart_id", "checkout": "cart_id", "first_order": "order_id"}
_ENROLLED = frozenset({"orders", "presence"})
HISTORIC = frozenset({"orders", "first_order", "presence"})


class Inactivity(Base):
    """Something began, then nothing came for `after`. By one of Tern's folds, or by filters of the shop's own."""

    kind: Literal["inactivity"]
    key: Annotated[str, Field(pattern=r"^[A-Za-z_][\w]{0,63}$")] | None = None
    fold: Fold | None = None
    start: EventFilter | None = None
    reset: EventFilter | None = None
    exit: EventFilter | None = None
    max_hold: Duration = timedelta(hours=72)
    personal: Personal | None = None

    @field_validator("max_hold")
    @classmethod
    def _holds(cls, max_hold: timedelta) -> timedelta:
        if max_hold <= timedelta():
            raise Wrong("`max_hold` must be longer than 0")
        return max_hold

    @field_validator("steps")
    @classmethod
    def _waits(cls, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        if steps[0].after <= timedelta():
            raise Wrong("absence needs time: `after` must be longer than 0, for example 1h", 0, "after")
        return steps

    @model_validator(mode="after")
    def _says_what_begins(self) -> Self:
        if (self.fold is None) == (self.start is None):
            raise Wrong(
                "write either `fold` or `start` (an event filter), not both and not neither",
                "fold" if self.fold else "start",
            )
        if self.fold is not None and (self.reset is not None or self.exit is not None):
            raise Wrong("`reset` and `exit` go with `start`: a fold has its own", "reset" if self.reset else "exit")
        if self.fold is not None and self.key != _KEYS.get(self.fold):
            wanted = _KEYS.get(self.fold)
            raise Wrong(f"`fold: {self.fold}` needs " + (f"`key: {wanted}`" if wanted else "no `key`"), "key")
        if self.personal is not None and self.fold != "orders":
            raise Wrong("`personal` waits exist for `fold: orders` only", "personal")
        for place, step in enumerate(self.steps):
            if step.hold and self.key != "cart_id":
                raise Wrong(
                    "stock is held of a cart: `hold` is for `fold: cart` and `fold: checkout`", "steps", place, "hold"
                )
        require_apart(self.start, self.exit, "exit")
        require_apart(self.reset, self.exit, "exit")
        return self

    @property
    def ignores_history(self) -> bool:
        """Folds of orders and logins take history up, unless the rule says otherwise (triggers.md §6)."""
        return (self.history or ("enrol" if self.fold in _ENROLLED else "ignore")) == "ignore"

    @property
    def lane(self) -> Lane:
        """Folds that read history wait for all lanes."""
        return "all" if self.fold in HISTORIC else super().lane

    @property
    def waits(self) -> Waits:
        """The wait of the first step, for folds that make it personal."""
        if self.personal is None:
            return Waits(self.steps[0].after)
        return Waits(self.steps[0].after, self.personal.least, self.personal.most)

    @property
    def smallest_offset(self) -> timedelta:
        """A personal wait may be the shorter one."""
        after = self.steps[0].after
        return after if self.personal is None else min(after, self.personal.least)


class Count(Base):
    """So many matching events, or such a sum of a property, or so many days, within a window."""

    kind: Literal["count"]
    of: EventFilter
    exit: EventFilter | None = None
    key: Annotated[str, Field(pattern=r"^[A-Za-z_][\w]{0,63}$")] | None = None
    at_least: Annotated[int, Field(ge=1, le=1_000_000)]
    sum: Annotated[str, Field(pattern=r"^[A-Za-z_][\w]{0,63}$")] | None = None
    days: Literal["running"] | None = None
    within: Duration
    cooldown: Duration

    @field_validator("within", "cooldown")
    @classmethod
    def _takes_time(cls, span: timedelta) -> timedelta:
        if span <= timedelta():
            raise Wrong("must be longer than 0, for example 24h")
        return span

    @model_validator(mode="after")
    def _counts_one_thing(self) -> Self:
        if self.sum is not None and self.days is not None:
            raise Wrong("count either a `sum` or `days`, not both", "sum")
        if self.days is not None and self.within < timedelta(days=self.at_least):
            raise Wrong(f"{self.at_least} days running do not fit `within`: write at least {self.at_least}d", "within")
        require_apart(self.of, self.exit, "exit")
        return self

    def at_once(self, step: int) -> bool:
        """Without an exit, or where later steps see to it, nothing that comes later can take it back."""
        return monotone(self, step, self.exit)


class Change(Base):
    """The customer enters a class that the profile declares. `since` is the profile's."""

    kind: Literal["change"]
    enters: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]

    @property
    def ignores_history(self) -> bool:
        """A class is a state, not an event: it counts however long it has held."""
        return self.history == "ignore"

    @property
    def lane(self) -> Lane:
        """A class reads history."""
        return "all"


_CLOCK = r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$"


def _clock(written: object) -> object:
    """YAML takes 10:00 for the number 600, which would be ten past midnight."""
    if isinstance(written, time) or (isinstance(written, str) and re.match(_CLOCK, written)):
        return written
    raise Wrong('write a time of day in quotes, for example "09:00"')


class Date(Base):
    """A date of the profile comes round, every year or once, `at` a time of the customer's own day: so many
    `days_before`, or after where that is negative."""

    kind: Literal["date"]
    date: Annotated[str, Field(pattern=r"^(traits|computed)\.[\w $-]{1,128}$")]
    yearly: bool = True
    at: Annotated[
        time, BeforeValidator(_clock), WithJsonSchema({"type": "string", "pattern": _CLOCK, "examples": ["09:00"]})
    ] = time(9)
    days_before: Annotated[int, Field(ge=-366, le=366)] = 0


class OnEvent(Base):
    """An event matches. Each is a reason of its own."""

    kind: Literal["event"]
    of: EventFilter
    exit: EventFilter | None = None
    key: Annotated[str, Field(pattern=r"^[A-Za-z_][\w]{0,63}$")] | None = None

    @model_validator(mode="after")
    def _ends_by_another(self) -> Self:
        require_apart(self.of, self.exit, "exit")
        return self

    def at_once(self, step: int) -> bool:
        """Without an exit, or where later steps see to it, nothing that comes later can take it back."""
        return monotone(self, step, self.exit)


Rule = Annotated[Inactivity | Count | Change | Date | OnEvent, Field(discriminator="kind")]

RULE: TypeAdapter[Rule] = TypeAdapter(Rule)
"""Validates a rule of any kind, and derives its JSON Schema."""
