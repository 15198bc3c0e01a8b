"""The product numbers of the service, as `policy.yaml` states them."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Annotated, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from tern_common.durations import Duration
from tern_common.lanes import BackfillPolicy
from tern_triggers.domain.rules import Channel


def _known(zone: str) -> str:
    if zone not in available_timezones():
        raise ValueError("is no IANA time zone: write for example Europe/Berlin")
    return zone


Zone = Annotated[str, AfterValidator(_known)]


class OutboxPolicy(BaseModel):
    """How publication behaves. These are real seconds, also under a virtual clock."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    batch: Annotated[int, Field(ge=1, le=5000)] = 500
    lease: Duration = timedelta(seconds=30)
    recheck_after: Duration = timedelta(seconds=10)


class Cap(BaseModel):
    """At most `contacts` in any `window`, over all rules; of one `channel`, or of all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    contacts: Annotated[int, Field(ge=1, le=1000)]
    window: Duration
    channel: Channel | None = None

    @field_validator("window")
    @classmethod
    def _takes_time(cls, window: timedelta) -> timedelta:
        if window <= timedelta():
            raise ValueError("`window` must be longer than 0, for example 24h")
        return window


class QuietHours(BaseModel):
    """When these channels are silent, in the customer's zone; over midnight where `begin` is later than `end`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    begin: time = time(21)
    end: time = time(9)
    channels: tuple[Channel, ...] = ("sms", "push", "call")


class Incentives(BaseModel):
    """Who may be made an offer: at most `budget` offers in `window`, never to a serial abandoner (`abandoned` cycles
    reminded of within `window`), and only after the plain step of the cycle has failed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    budget: Annotated[int, Field(ge=0, le=1000)] = 2
    abandoned: Annotated[int, Field(ge=1, le=1000)] = 3
    window: Duration = timedelta(days=90)


class StockHolds(BaseModel):
    """How long to wait for the shop's answer, and for how long stock is asked to be held."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    answer_within: Duration = timedelta(seconds=30)
    held_for: Duration = timedelta(hours=24)


class Arbiter(BaseModel):
    """What every contact must pass. `zone`: the shop's time zone, where the customer's is not known. `best_hour_from`:
    events that a customer's histogram needs to speak for itself. `salt` names this deployment's hold-out draw."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    caps: tuple[Cap, ...] = (
        Cap(contacts=1, window=timedelta(hours=24)),
        Cap(contacts=3, window=timedelta(days=7)),
        Cap(contacts=1, window=timedelta(days=7), channel="sms"),
    )
    quiet: QuietHours = QuietHours()
    zone: Zone = "Europe/Berlin"
    best_hour_from: Annotated[int, Field(ge=1)] = 20
    salt: Annotated[str, Field(min_length=1, max_length=64)] = "tern"
    untrusted_contacts: bool = False
    incentives: Incentives = Incentives()
    holds: StockHolds = StockHolds()


class Policy(BaseModel):
    """`grace`: waited beyond due for events still on their way. `slot`: decisions of one slot are taken together.

    `settle`: cart events up to then after an order are its echo. `tolerance`: a decision later than this is taken in
    the present round. `overdue`: an agenda row later than this is waited for instead of skipped while it is locked.
    `fire_batch`, `fire_facts`: at most so many customers and, unless one has more alone, facts in a fire transaction.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Annotated[int, Field(ge=1)]
    grace: Duration = timedelta(minutes=5)
    slot: Duration = timedelta(seconds=60)
    settle: Duration = timedelta(minutes=2)
    tolerance: Duration = timedelta(minutes=10)
    overdue: Duration = timedelta(seconds=30)
    fire_batch: Annotated[int, Field(ge=1, le=1000)] = 200
    fire_facts: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000
    outbox: OutboxPolicy = OutboxPolicy()
    arbiter: Arbiter = Arbiter()
    backfill: BackfillPolicy = BackfillPolicy()

    @model_validator(mode="after")
    def _slot_takes_time(self) -> Self:
        if self.slot <= timedelta():
            raise ValueError("`slot` must be longer than 0")
        return self
