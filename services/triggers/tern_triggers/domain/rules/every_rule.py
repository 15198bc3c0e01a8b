"""What rules of every kind have, and what follows from it."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, WithJsonSchema, field_validator, model_validator

from tern_common.conditions import Declared, paths
from tern_common.durations import Duration
from tern_common.topics import FAMILIES
from tern_triggers.domain.rules.parts import (
    ByFrequency,
    Channel,
    Condition,
    Conversion,
    EventFilter,
    Share,
    Step,
    each_once,
)
from tern_triggers.domain.rules.vocabulary import reads_history
from tern_triggers.domain.rules.wrong import Wrong

Lane = Literal["live", "all"]
Mode = Literal["live", "shadow", "paused"]

LONG_WAIT = timedelta(days=7)
"""Rules that wait this long also wait for the backfill lane (triggers.md §2.4)."""


class Base(Declared):
    """What rules of every kind have. `key`: the property that a cycle is about; none means the customer."""

    rule: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{2,63}$")]
    version: Annotated[int, Field(ge=1)] = 1
    family: Annotated[str, WithJsonSchema({"type": "string", "enum": [*FAMILIES]})]
    mode: Mode = "live"
    priority: Annotated[int, Field(ge=0, le=100)] = 50
    purpose: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
    channels: tuple[Channel, ...] = ()
    when: Condition | None = None
    frequency: ByFrequency | None = None
    history: Literal["ignore", "enrol"] | None = None
    catch_up: Duration = timedelta(days=30)
    spread: Duration = timedelta(days=7)
    holdout: Share = 0.0
    wait: Literal["safe"] | None = None
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=10)]
    conversion: Conversion | None = None

    @field_validator("rule")
    @classmethod
    def _is_free(cls, rule: str) -> str:
        if rule == "schema":
            raise Wrong("this name is an address of the API: choose another")
        return rule

    @field_validator("family")
    @classmethod
    def _has_a_topic(cls, family: str) -> str:
        if family not in FAMILIES:
            raise Wrong(f"no topic for this family: write one of {', '.join(FAMILIES)}")
        return family

    @field_validator("channels")
    @classmethod
    def _each_once(cls, channels: tuple[Channel, ...]) -> tuple[Channel, ...]:
        return each_once(channels)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for place, (earlier, later) in enumerate(pairwise(self.steps), start=1):
            if later.after <= earlier.after:
                raise Wrong("each step must come after the one before: `after` must increase", "steps", place, "after")
        names = [step.name for step in self.steps if step.name is not None]
        if len(set(names)) < len(names):
            raise Wrong("two steps have one name", "steps")
        for place, step in enumerate(self.steps):
            if step.act == "contact" and not (step.channels or self.channels):
                raise Wrong("a contact needs a channel: write for example `channels: [email]`", "steps", place)
        if self.frequency is not None and self.frequency.per == "key" and getattr(self, "key", None) is None:
            raise Wrong("`per: key` needs a `key`, for example `key: product_id`", "frequency", "per")
        if self.steps[0].incentive:
            raise Wrong("an offer is made only after a plain step failed: the first has none", "steps", 0, "incentive")
        return self

    @property
    def ignores_history(self) -> bool:
        """Whether late and imported events start nothing (triggers.md §6)."""
        return (self.history or "ignore") == "ignore"

    @property
    def lane(self) -> Lane:
        """Whose safe time decides: `all` lanes where the wait is long or the customer's history is read."""
        return "all" if self.is_long or self.asks_history else "live"

    @property
    def is_long(self) -> bool:
        """Whether a step waits for so long that an import may hold what ends it."""
        return any(step.after >= LONG_WAIT for step in self.steps)

    @property
    def asks_history(self) -> bool:
        """Whether a condition asks what the customer did so far."""
        asked = [self.when, *(step.when for step in self.steps)]
        return any(reads_history(path) for condition in asked for path in paths(condition))

    @property
    def smallest_offset(self) -> timedelta:
        """No step of any cycle is due sooner than this after its anchor."""
        return self.steps[0].after

    def at_once(self, step: int) -> bool:  # noqa: ARG002 - kinds that are monotone look at the step
        """Whether the step is decided in the transaction that stores its event: no later event can make it false."""
        return False

    def channels_of(self, step: int) -> tuple[Channel, ...]:
        """The channels that a step may use, in the rule's order."""
        return self.steps[step].channels or self.channels


def require_apart(begins: EventFilter | None, ends: EventFilter | None, *at: str) -> None:
    """Raises `Wrong` where every event that begins or restarts it ends it at once."""
    if begins is None or ends is None or ends.where not in (None, begins.where):
        return
    if both := sorted(begins.keys & ends.keys):
        raise Wrong(f"the event `{both[0]}` begins it and ends it: test a property of it with `where`", *at)


def monotone(rule: Base, step: int, ends: EventFilter | None) -> bool:
    """triggers.md §3: at once where no exit exists, or for the first step of several; never what has to wait."""
    return (
        step == 0 and rule.wait is None and rule.steps[0].after == timedelta() and (ends is None or len(rule.steps) > 1)
    )
