"""What operators say of profile: the shape of `policy.yaml`. Numbers that bound folds, in a way that is itself a fold;
computed traits; classes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from hashlib import blake2b
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tern_common.durations import Duration
from tern_common.lanes import BackfillPolicy
from tern_common.policy import Policy as VersionedPolicy
from tern_profile.domain.classes.conditions import Condition, check
from tern_profile.domain.computed.declaring import Computed, Name
from tern_profile.domain.declarations import Declarations

LARGEST_TRAITS = 850_000
"""Bytes of all traits of a public record: with their names and the rest it must fit a record of Kafka, 1 MiB."""

MOST_DECLARED = 50
"""Computed traits, and classes: each of them stands in every record that it is true of."""

LARGEST_TALLY = 1000
FINGERPRINT_BYTES = 16

Count = Annotated[int, Field(ge=1)]


class CartPolicy(BaseModel):
    """What is kept of what was said about carts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kept: Annotated[int, Field(ge=2)]
    """Of a home, and of a customer: those spoken of last. What was said before the last word on the oldest of them is
    dropped, so that one alone would keep nothing but its last statement."""
    statements: Count
    """Of one cart: the newest ones, from its last snapshot on."""
    window: Duration
    """Before the newest statement about any cart of a home."""

    @model_validator(mode="after")
    def _window_takes_time(self) -> Self:
        if self.window <= timedelta():
            raise ValueError("`window` must be longer than 0")
        return self


class Policy(VersionedPolicy):
    """All of `policy.yaml`."""

    event_names: Count
    """Under which a home's events are counted."""
    traits: Count
    """Of a home, and of a customer."""
    trait_bytes: Count
    """Of one trait's JSON. What is larger stays on the event."""
    carts: CartPolicy
    orders: Count = 5000
    """Of a home, and of a customer, by the largest numbers. Who has more is a till or a flood, and no person."""
    backfill: BackfillPolicy = BackfillPolicy()
    """How the backfill lane gives way to the live one (triggers.md §2.4)."""
    days: Annotated[int, Field(ge=2)] = 90
    """On which somebody was about, the newest: their hours make his active hours."""
    contributions: Annotated[int, Field(ge=2, le=LARGEST_TALLY)] = 200
    """Single events that are kept for a computed trait, of a home and of a customer."""
    grace: Duration = timedelta(minutes=5)
    """What turns by absence is published once safe time has passed the moment by this much: the same as in triggers."""
    computed: Annotated[Mapping[Name, Computed], Field(max_length=MOST_DECLARED)] = {}
    classes: Annotated[Mapping[Name, Condition], Field(max_length=MOST_DECLARED)] = {}

    @cached_property
    def declared(self) -> Declarations:
        """Computed traits and classes together."""
        return Declarations(self.computed, self.classes)

    @cached_property
    def fingerprint(self) -> str:
        """Of what is declared; empty where nothing is."""
        written = self.model_dump_json(include={"computed", "classes"}).encode()
        return blake2b(written, digest_size=FINGERPRINT_BYTES).hexdigest() if self.declared else ""

    @model_validator(mode="after")
    def _classes_read_what_there_is(self) -> Self:
        for name, condition in self.classes.items():
            check(name, condition, self.computed)
        return self

    @model_validator(mode="after")
    def _a_record_fits_on_kafka(self) -> Self:
        if self.traits * self.trait_bytes > LARGEST_TRAITS:
            raise ValueError(f"`traits` times `trait_bytes` must not be more than {LARGEST_TRAITS}")
        return self
