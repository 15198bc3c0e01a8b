"""What follows from a rule, in words: what it waits for, when it decides at the earliest, and what it reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tern_common.durations import format_duration
from tern_triggers.domain.rules.every_rule import LONG_WAIT, Lane
from tern_triggers.domain.rules.kinds import HISTORIC, Change, Date, Inactivity, Rule
from tern_triggers.domain.rules.reading import reads
from tern_triggers.domain.rules.vocabulary import KNOWN

_FACTS = {
    "cart": "carts",
    "checkout": "checkouts",
    "order": "orders",
    "refund": "refunds",
    "cancel": "cancelled orders",
    "seen": "days on which somebody was seen",
}


class StepTold(NamedTuple):
    """When a step is decided."""

    step: int
    name: str
    at_once: bool
    earliest: str


class Told(NamedTuple):
    """`waits_for`: whose safe time decides what is not decided at once, and `because` of what. `facts`: what it reads
    of carts, orders and visits; `events`: event → the properties that are kept of it."""

    waits_for: Lane
    because: str
    steps: tuple[StepTold, ...]
    facts: tuple[str, ...]
    events: Mapping[str, tuple[str, ...]]


def tell(rule: Rule) -> Told:
    """Derived from the rule alone."""
    read = reads([rule])
    return Told(
        waits_for=rule.lane,
        because=_because(rule),
        steps=tuple(_step(rule, step) for step in range(len(rule.steps))),
        facts=tuple(_FACTS[kind] for kind in sorted(read.kinds)),
        events={KNOWN.get(name, name): tuple(sorted(kept)) for name, kept in sorted(read.events.items())},
    )


def _because(rule: Rule) -> str:
    if rule.lane == "live":
        return "it waits for less than a week, and asks nothing of the customer's history"
    if isinstance(rule, Inactivity) and rule.fold in HISTORIC:
        return f"`fold: {rule.fold}` reads the customer's history, which an import may still bring"
    if rule.asks_history:
        return "a condition asks for the customer's history, which an import may still change"
    if isinstance(rule, Change):
        return "a class sums up the customer's history, which an import may still change"
    return f"it waits for {format_duration(LONG_WAIT)} or more, so an import may hold what ends it"


def _step(rule: Rule, step: int) -> StepTold:
    named = rule.steps[step].name or f"step {step}"
    if rule.at_once(step):
        return StepTold(step, named, True, "at once, in the transaction that stores its event")
    return StepTold(step, named, False, f"{_moment(rule, step)}, plus 5m for events still on their way")


def _moment(rule: Rule, step: int) -> str:
    after = rule.steps[step].after
    if isinstance(rule, Date):
        days = (
            f", {abs(rule.days_before)} days {'before' if rule.days_before > 0 else 'after'}"
            if rule.days_before
            else ""
        )
        later = f", and {format_duration(after)}" if after else ""
        return f"{rule.at:%H:%M} local time of the day{days}{later}"
    if not isinstance(rule, Inactivity):
        return f"{format_duration(after)} after {'entering the class' if isinstance(rule, Change) else 'the event'}"
    if rule.personal is not None:
        waits = after - rule.steps[0].after
        span = f"{format_duration(rule.personal.least + waits)} to {format_duration(rule.personal.most + waits)}"
        return f"{format_duration(after)} after it began or was last reset, or {span} where the customer has a rhythm"
    return f"{format_duration(after)} after it began or was last reset"
