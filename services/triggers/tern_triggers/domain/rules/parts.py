"""The parts that rules of every kind are made of: filters, steps, frequency, hold-out, conversion."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import BeforeValidator, Field, PlainSerializer, field_validator, model_validator

from tern_common.durations import Duration
from tern_triggers.domain.rules.conditions import Condition, Model

Channel = Literal["email", "push", "sms", "call"]
Act = Literal["contact", "task", "ticket", "status"]

NAME_LIMIT = 128


def event_key(name: str) -> str:
    """The name under which an event's facts are filed: case and surrounding blanks do not matter."""
    return name.strip().casefold()


def _one_or_more(written: object) -> object:
    return (written,) if isinstance(written, str) else written


EventName = Annotated[str, Field(min_length=1, max_length=NAME_LIMIT, pattern=r"\S")]


class EventFilter(Model):
    """Track events of these names whose properties satisfy `where`."""

    event: Annotated[tuple[EventName, ...], BeforeValidator(_one_or_more), Field(min_length=1, max_length=20)]
    where: Condition | None = None

    @property
    def keys(self) -> frozenset[str]:
        """The names that its facts are filed under."""
        return frozenset(map(event_key, self.event))


class Step(Model):
    """What to do `after` the anchor, and until when it is still worth doing.

    Only `contact` meets consent, channels, quiet hours and caps. `when` is asked of the profile when the step is
    decided. `channels` replaces the rule's. `hold`: ask the shop to hold the stock first. `incentive`: an offer may be
    made, if the guard lets it. `due_in`: when a task or ticket has to be done. `name`: what subscribers call the step.
    """

    after: Duration = timedelta()
    act: Act = "contact"
    expires_after: Duration
    when: Condition | None = None
    channels: Annotated[tuple[Channel, ...], Field(min_length=1)] | None = None
    hold: bool = False
    incentive: bool = False
    due_in: Duration | None = None
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")] | None = None

    @field_validator("expires_after")
    @classmethod
    def _leaves_time(cls, expires_after: timedelta) -> timedelta:
        if expires_after <= timedelta():
            raise ValueError("a step that expires at once is never taken: write for example 24h")
        return expires_after

    @model_validator(mode="after")
    def _fits_its_act(self) -> Self:
        if self.act == "contact" and self.due_in is not None:
            raise ValueError("`due_in` is for `act: task` and `act: ticket`")
        if self.act != "contact" and (self.channels is not None or self.incentive):
            raise ValueError(f"`act: {self.act}` reaches nobody: `channels` and `incentive` are for `act: contact`")
        return self


class Personal(Model):
    """The wait is twice the customer's own median gap between orders, kept within these."""

    least: Duration
    most: Duration

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not timedelta() < self.least <= self.most:
            raise ValueError("`least` must be longer than 0 and not longer than `most`")
        return self


class Waits(NamedTuple):
    """How long to wait: `usual`, or within [least, most] twice the customer's own median gap, when these are given."""

    usual: timedelta
    least: timedelta | None = None
    most: timedelta | None = None


class Frequency(Model):
    """At most one first step in `every`; `per`: counted by that property of the reason (a category, a product)."""

    every: Duration
    per: Literal["key", "category"] | None = None

    @field_validator("every")
    @classmethod
    def _takes_time(cls, every: timedelta) -> timedelta:
        if every <= timedelta():
            raise ValueError("`every` must be longer than 0, for example 7d")
        return every


def _frequency(written: object) -> object:
    return {"every": written} if isinstance(written, str) else written


ByFrequency = Annotated[Frequency, BeforeValidator(_frequency)]


class Conversion(Model):
    """What success looks like: `event` within `within` of the trigger."""

    event: EventName
    within: Duration


def _share(written: object) -> object:
    if not isinstance(written, str):
        return written
    number = written.strip().removesuffix("%")
    if number == written.strip() or not number.replace(".", "", 1).isdigit():
        raise ValueError("write a share such as 5%")
    return float(number) / 100


Share = Annotated[
    float, BeforeValidator(_share), Field(ge=0, le=0.5), PlainSerializer(lambda share: f"{share * 100:g}%", str)
]
"""A share of the customers, written `5%`; at most a half."""
