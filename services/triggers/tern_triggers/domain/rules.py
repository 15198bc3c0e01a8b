"""Rules are data: the models that a rule's YAML must satisfy, with messages for the people who write it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from tern_common.durations import Duration
from tern_common.topics import FAMILIES
from tern_triggers.domain.facts import Fact, Kind
from tern_triggers.domain.recall import Waits

Fold = Literal["cart", "orders"]
Lane = Literal["live", "all"]
Channel = Literal["email", "push", "sms"]

LONG_WAIT = timedelta(days=7)
"""Rules that wait this long also wait for the backfill lane (triggers.md §2.4)."""

READS: dict[Fold, frozenset[Kind]] = {
    "cart": frozenset({"cart", "checkout", "order"}),
    "orders": frozenset({"order", "refund", "cancel"}),
}
_STARTS: dict[Fold, frozenset[Kind]] = {
    "cart": frozenset({"cart"}),
    "orders": frozenset({"order", "refund", "cancel"}),
}


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Step(_Model):
    """What to do `after` the anchor, and until when it is still worth doing."""

    after: Duration
    act: Literal["contact"] = "contact"
    expires_after: Duration

    @field_validator("after")
    @classmethod
    def _takes_time(cls, after: timedelta) -> timedelta:
        if after <= timedelta():
            raise ValueError("absence needs time: `after` must be longer than 0, for example 1h")
        return after

    @field_validator("expires_after")
    @classmethod
    def _leaves_time(cls, expires_after: timedelta) -> timedelta:
        if expires_after <= timedelta():
            raise ValueError("a step that expires at once is never taken: write for example 24h")
        return expires_after


class Personal(_Model):
    """The wait is twice the customer's own median gap between orders, kept within these."""

    least: Duration
    most: Duration

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not timedelta() < self.least <= self.most:
            raise ValueError("`least` must be longer than 0 and not longer than `most`")
        return self


class Rule(_Model):
    """A declared reason to act: an `inactivity` rule. `key` is what a cycle is about; none means the customer."""

    rule: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{2,63}$")]
    version: Annotated[int, Field(ge=1)] = 1
    kind: Literal["inactivity"]
    family: str
    key: Literal["cart_id"] | None = None
    fold: Fold
    priority: Annotated[int, Field(ge=0, le=100)] = 50
    purpose: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
    channels: Annotated[tuple[Channel, ...], Field(min_length=1)]
    max_hold: Duration = timedelta(hours=72)
    history: Literal["ignore", "enrol"] | None = None
    personal: Personal | None = None
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=10)]

    @field_validator("family")
    @classmethod
    def _has_a_topic(cls, family: str) -> str:
        if family not in FAMILIES:
            raise ValueError(f"no topic for this family: write one of {', '.join(FAMILIES)}")
        return family

    @field_validator("max_hold")
    @classmethod
    def _holds(cls, max_hold: timedelta) -> timedelta:
        if max_hold <= timedelta():
            raise ValueError("`max_hold` must be longer than 0")
        return max_hold

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if any(later.after <= earlier.after for earlier, later in pairwise(self.steps)):
            raise ValueError("each step must come after the one before: `after` must increase")
        if len(set(self.channels)) < len(self.channels):
            raise ValueError("a channel is listed twice")
        if (self.key == "cart_id") != (self.fold == "cart"):
            raise ValueError("`fold: cart` needs `key: cart_id`, and no other fold has a key")
        if self.personal is not None and self.fold != "orders":
            raise ValueError("`personal` waits exist for `fold: orders` only")
        return self

    @property
    def ignores_history(self) -> bool:
        """Whether late and imported events start nothing. The fold says so unless the rule does (triggers.md §6)."""
        return (self.history or ("enrol" if self.fold == "orders" else "ignore")) == "ignore"

    @property
    def lane(self) -> Lane:
        """Whose safe time decides: `all` lanes where the wait is long or reads the customer's history."""
        long = any(step.after >= LONG_WAIT for step in self.steps)
        return "all" if long or self.personal is not None else "live"

    @property
    def waits(self) -> Waits:
        """The wait of the first step, for folds that make it personal."""
        if self.personal is None:
            return Waits(self.steps[0].after)
        return Waits(self.steps[0].after, self.personal.least, self.personal.most)

    @property
    def smallest_offset(self) -> timedelta:
        """No step of any cycle is due sooner than this after its anchor."""
        after = self.steps[0].after
        return after if self.personal is None else min(after, self.personal.least)

    def starts_with(self, fact: Fact) -> bool:
        """Whether such a fact can start or reset a cycle of this rule."""
        return fact.kind in _STARTS[self.fold] and not (fact.passive and self.ignores_history)


def kinds_read(rules: Iterable[Rule]) -> frozenset[Kind]:
    """The kinds of fact that some rule reads: all others need not be stored."""
    return frozenset().union(*(READS[rule.fold] for rule in rules))
