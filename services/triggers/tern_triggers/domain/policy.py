"""The product numbers of the service, as `policy.yaml` states them."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Annotated, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from tern_common.conditions import Compare
from tern_common.durations import Duration
from tern_common.lanes import BackfillPolicy
from tern_triggers.domain.rules import Channel, Condition, Share
from tern_triggers.domain.rules.wrong import Wrong


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


def _takes_time(span: timedelta) -> timedelta:
    if span <= timedelta():
        raise ValueError("must be longer than 0, for example 24h")
    return span


def _clock_time(written: object) -> object:
    """YAML reads 21:00 without quotes as the number 1260, which would quietly become some other time."""
    if isinstance(written, int | float):
        raise Wrong('write the time between quotes, for example "21:00"')
    return written


Window = Annotated[Duration, AfterValidator(_takes_time)]
ClockTime = Annotated[time, BeforeValidator(_clock_time)]


class Cap(BaseModel):
    """At most `contacts` in any `window`, over all rules; of one `channel`, or of all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    contacts: Annotated[int, Field(ge=1, le=1000)]
    window: Window
    channel: Channel | None = None


class OwnCap(BaseModel):
    """Where a customer says how many contacts per `window` are enough: the profile's trait of this name.

    It is one more cap beside those of the shop, so it can only lower them. 0: no contact at all. What is no number, or
    less than 0, says nothing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    trait: Annotated[str, Field(min_length=1, max_length=128)] = "max_contacts_per_week"
    window: Window = timedelta(days=7)


class QuietHours(BaseModel):
    """When these channels are silent, in the customer's zone; over midnight where `begin` is later than `end`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    begin: ClockTime = time(21)
    end: ClockTime = time(9)
    channels: tuple[Channel, ...] = ("sms", "push", "call")

    @model_validator(mode="after")
    def _leaves_a_day(self) -> Self:
        if self.begin.tzinfo is not None or self.end.tzinfo is not None:
            raise ValueError('quiet hours are in the customer\'s zone: write times without one, for example "21:00"')
        if self.begin == self.end:
            raise ValueError("`begin` and `end` are the same: for no quiet hours write `channels: []`")
        return self


class BestHour(BaseModel):
    """Which hour a step with `best_hour` waits for: the one at which the customer's histogram has most events, once it
    has `events` of them; else the shop's, `shop` o'clock in the customer's zone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    events: Annotated[int, Field(ge=1)] = 20
    shop: Annotated[int, Field(ge=0, le=23)] = 18


class PastResponse(BaseModel):
    """How past contacts rank channels: as if `weight` contacts with this `share` of answers had gone before, so that
    one mail that was opened does not outrank fifty text messages."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: Annotated[Share, Field(gt=0)] = 0.2
    weight: Annotated[int, Field(ge=1, le=1000)] = 5


class Incentives(BaseModel):
    """Who may be made an offer: at most `budget` offers in `window`, never to a serial abandoner (`abandoned` cycles
    reminded of within `window`), and only after the plain step of the cycle has failed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    budget: Annotated[int, Field(ge=0, le=1000)] = 2
    abandoned: Annotated[int, Field(ge=1, le=1000)] = 3
    window: Window = timedelta(days=90)


class StockHolds(BaseModel):
    """How long to wait for the shop's answer, and for how long stock is asked to be held."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    answer_within: Window = timedelta(seconds=30)
    held_for: Window = timedelta(hours=24)


class Arbiter(BaseModel):
    """What every contact must pass. `zone`: the shop's time zone, where the customer's is not known. `salt` names this
    deployment's hold-out draw: another salt is another draw for everybody who was not evaluated yet. `do_not_contact`:
    whoever's profile is like this is contacted about nothing. `untrusted_contacts`: contact points that nobody but a
    browser ever named may be used."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    caps: tuple[Cap, ...] = (
        Cap(contacts=1, window=timedelta(hours=24)),
        Cap(contacts=3, window=timedelta(days=7)),
        Cap(contacts=1, window=timedelta(days=7), channel="sms"),
    )
    own_cap: OwnCap | None = OwnCap()
    quiet: QuietHours = QuietHours()
    zone: Zone = "Europe/Berlin"
    best_hour: BestHour = BestHour()
    response: PastResponse = PastResponse()
    do_not_contact: Condition | None = Compare(path="traits.do_not_contact", equals=True)
    untrusted_contacts: bool = False
    salt: Annotated[str, Field(min_length=1, max_length=64)] = "tern"
    incentives: Incentives = Incentives()
    holds: StockHolds = StockHolds()


class Keep(BaseModel):
    """How long decisions are kept, and how much longer than any rule can read them facts are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    decisions: Window = timedelta(days=400)
    beyond: Duration = timedelta(days=7)


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
    keep: Keep = Keep()

    @model_validator(mode="after")
    def _slot_takes_time(self) -> Self:
        if self.slot <= timedelta():
            raise ValueError("`slot` must be longer than 0")
        return self
