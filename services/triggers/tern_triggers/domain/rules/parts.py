"""The parts that rules of every kind are made of: filters, steps, frequency, hold-out, conversion."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from tern_common import conditions
from tern_common.conditions import Compare, Declared
from tern_common.durations import Duration
from tern_triggers.domain.rules.wrong import Wrong

Channel = Literal["email", "push", "sms", "call"]
Act = Literal["contact", "task", "ticket", "status"]

NAME_LIMIT = 128
_HALF = 0.5

Condition = conditions.Condition[Compare]
"""Over an event's properties, or over what a profile says."""


def event_key(name: str) -> str:
    """The name under which an event's facts are filed: case and surrounding blanks do not matter."""
    return name.strip().casefold()


def _one_or_more(written: object) -> object:
    return (written,) if isinstance(written, str) else written


class _OrOne:
    """In the JSON Schema: what is written may also be this plain type."""

    def __init__(self, plain: str) -> None:
        self._plain = plain

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"type": self._plain}, handler(core)]}


EventName = Annotated[str, Field(min_length=1, max_length=NAME_LIMIT, pattern=r"\S")]


class EventFilter(Declared):
    """Track events of these names whose properties satisfy `where`. `own`: the names are the shop's own, however much
    one looks like a known one misspelt."""

    event: Annotated[
        tuple[EventName, ...], BeforeValidator(_one_or_more), Field(min_length=1, max_length=20), _OrOne("string")
    ]
    where: Condition | None = None
    own: bool = False

    @cached_property
    def keys(self) -> frozenset[str]:
        """The names that its facts are filed under."""
        return frozenset(map(event_key, self.event))


class Step(Declared):
    """What to do `after` the anchor, and until when it is still worth doing.

    Only `contact` meets consent, channels, quiet hours and caps. `when` is asked of the profile when the step is
    decided. `channels` replaces the rule's. `hold`: ask the shop to hold the stock first. `incentive`: an offer may be
    made, if the guard lets it. `best_hour`: wait for the hour at which the customer is about most, if it comes before
    the step expires. `due_in`: when a task or ticket has to be done. `name`: what subscribers call the step.
    """

    after: Duration = timedelta()
    act: Act = "contact"
    expires_after: Duration
    when: Condition | None = None
    channels: Annotated[tuple[Channel, ...], Field(min_length=1)] | None = None
    hold: bool = False
    incentive: bool = False
    best_hour: bool = False
    due_in: Duration | None = None
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")] | None = None

    @field_validator("expires_after")
    @classmethod
    def _leaves_time(cls, expires_after: timedelta) -> timedelta:
        if expires_after <= timedelta():
            raise Wrong("a step that expires at once is never taken: write for example 24h")
        return expires_after

    @field_validator("due_in")
    @classmethod
    def _can_be_done(cls, due_in: timedelta | None) -> timedelta | None:
        if due_in is not None and due_in <= timedelta():
            raise Wrong("nothing is done at once: write for example 24h")
        return due_in

    @field_validator("channels")
    @classmethod
    def _each_once(cls, channels: tuple[Channel, ...] | None) -> tuple[Channel, ...] | None:
        return None if channels is None else each_once(channels)

    @model_validator(mode="after")
    def _fits_its_act(self) -> Self:
        if self.due_in is not None and self.act not in ("task", "ticket"):
            raise Wrong("`due_in` is for `act: task` and `act: ticket`", "due_in")
        if self.act == "contact":
            return self
        for name in ("channels", "incentive", "hold", "best_hour"):
            if getattr(self, name):
                raise Wrong(f"`act: {self.act}` reaches nobody: `{name}` is for `act: contact`", name)
        return self


def each_once(channels: tuple[Channel, ...]) -> tuple[Channel, ...]:
    """Raises `Wrong` where one is listed twice."""
    if len(set(channels)) < len(channels):
        raise Wrong("a channel is listed twice")
    return channels


class Personal(Declared):
    """The wait is twice the customer's own median gap between orders, kept within these."""

    least: Duration
    most: Duration

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not timedelta() < self.least <= self.most:
            raise Wrong("`least` must be longer than 0 and not longer than `most`")
        return self


class Waits(NamedTuple):
    """How long to wait: `usual`, or within [least, most] twice the customer's own median gap, when these are given."""

    usual: timedelta
    least: timedelta | None = None
    most: timedelta | None = None


class Frequency(Declared):
    """At most one first step in `every`; `per`: counted by that property of the reason (a category, a product)."""

    every: Duration
    per: Literal["key", "category"] | None = None

    @field_validator("every")
    @classmethod
    def _takes_time(cls, every: timedelta) -> timedelta:
        if every <= timedelta():
            raise Wrong("`every` must be longer than 0, for example 7d")
        return every


def _frequency(written: object) -> object:
    return {"every": written} if isinstance(written, str) else written


ByFrequency = Annotated[Frequency, BeforeValidator(_frequency), _OrOne("string")]


class Conversion(Declared):
    """What success looks like: `event` within `within` of the trigger."""

    event: EventName
    within: Duration

    @field_validator("within")
    @classmethod
    def _takes_time(cls, within: timedelta) -> timedelta:
        if within <= timedelta():
            raise Wrong("must be longer than 0, for example 7d")
        return within


def _share(written: object) -> object:
    if not isinstance(written, str):
        return written
    number = written.strip().removesuffix("%")
    if number == written.strip() or not number.replace(".", "", 1).isdigit():
        raise Wrong("write a share such as 5%")
    return round(float(number) / 100, 6)


def _at_most_half(share: float) -> float:
    if not 0 <= share <= _HALF:
        raise Wrong("from 0% to 50%: whom a rule leaves out it does nothing for")
    return share


Share = Annotated[
    float,
    BeforeValidator(_share),
    AfterValidator(_at_most_half),
    PlainSerializer(lambda share: f"{share * 100:g}%", str),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?%$", "examples": ["5%"]}),
]
"""A share of the customers, written `5%`; at most a half."""
