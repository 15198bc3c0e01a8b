"""What a rule that is well formed may still have wrong: words that nobody sends, waits that cannot be kept.

Asked when a rule is written, not when it is read back: a release that knows more words must not refuse old rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from tern_common.conditions import paths
from tern_triggers.domain.rules.every_rule import Base
from tern_triggers.domain.rules.kinds import Count, Inactivity, OnEvent, Rule
from tern_triggers.domain.rules.parts import Condition, EventFilter, event_key
from tern_triggers.domain.rules.vocabulary import DECLARED, EVENTS, KNOWN, PROFILE, PURPOSES, is_profile_path
from tern_triggers.domain.rules.wrong import Finding, Place, closest, meant

DECIDED_WITHIN = timedelta(minutes=6)
"""What a decision that waits takes after its moment: the grace, and its round, as policy.yaml has them."""

_PARTS = ("start", "reset", "exit", "of")


def checks(rule: Rule) -> Iterator[Finding]:
    """What to tell whoever writes it, errors and warnings."""
    yield from _events(rule)
    yield from _asked(rule)
    yield from _steps(rule)
    yield from _without_effect(rule)
    if rule.purpose not in PURPOSES:
        found = closest(rule.purpose, PURPOSES)
        words = f"no consent that Tern knows of is about `{rule.purpose}`{meant(rule.purpose, PURPOSES)}"
        yield Finding(("purpose",), words, "warning" if found is None else "error")


def _events(rule: Rule) -> Iterator[Finding]:
    for part in _PARTS:
        written: EventFilter | None = getattr(rule, part, None)
        if written is None or written.own:
            continue
        for name in written.event:
            yield from _event((part, "event"), name)
        yield from _properties((part, "where"), paths(written.where), written.event)
    if isinstance(rule, Count | OnEvent) and not rule.of.own:
        for name in ("key", "sum"):
            yield from _properties((name,), filter(None, [getattr(rule, name, None)]), rule.of.event)
    if rule.conversion is not None:
        yield from _event(("conversion", "event"), rule.conversion.event)


def _event(place: Place, name: str) -> Iterator[Finding]:
    if event_key(name) in KNOWN:
        return
    if found := closest(name, EVENTS):
        yield Finding(
            place, f"no event `{name}` is known; did you mean `{found}`? If it is the shop's own, write `own: true`"
        )
    else:
        yield Finding(
            place, f"`{name}` is taken for an event of the shop's own: see that it is sent by this name", "warning"
        )


def _properties(place: Place, asked: Iterable[str], events: Iterable[str]) -> Iterator[Finding]:
    """Only misspelt ones: an event may carry whatever the shop puts there."""
    known: set[str] = set()
    for name in events:
        known |= EVENTS.get(KNOWN.get(event_key(name), ""), frozenset())
    for path in asked:
        root = path.partition(".")[0]
        if root not in known and (found := closest(root, known)):
            yield Finding(
                place, f"`{root}` looks misspelt; did you mean `{found}`? If it is the shop's own, write `own: true`"
            )


def _asked(rule: Rule) -> Iterator[Finding]:
    yield from _of_profile(("when",), rule.when)
    for place, step in enumerate(rule.steps):
        yield from _of_profile(("steps", place, "when"), step.when)


def _of_profile(place: Place, condition: Condition | None) -> Iterator[Finding]:
    for path in paths(condition):
        if is_profile_path(path):
            continue
        root, _, name = path.partition(".")
        alike = meant(root, [*PROFILE, *DECLARED]) or (f"; did you mean `traits.{path}`?" if not name else "")
        known = ", ".join([*(f"{one}.…" for one in DECLARED), *sorted(PROFILE)])
        yield Finding(place, f"a profile says nothing at `{path}`{alike} There are {known}")


def _steps(rule: Rule) -> Iterator[Finding]:
    for place, step in enumerate(rule.steps):
        if not rule.at_once(place) and step.expires_after <= DECIDED_WITHIN:
            yield Finding(
                ("steps", place, "expires_after"),
                "it has expired before it can be decided: decisions wait 5m for events on their way, and up to 1m for "
                "their round; write at least 10m",
            )


def _without_effect(rule: Rule) -> Iterator[Finding]:
    contacts = any(step.act == "contact" for step in rule.steps)
    if rule.channels and not contacts:
        yield Finding(("channels",), "no step contacts anybody: this has no effect", "warning")
    if rule.wait and not any(_would_be_at_once(rule, place) for place in range(len(rule.steps))):
        yield Finding(("wait",), "a rule of this kind waits for safe time in any case", "warning")
    if isinstance(rule, Count) and rule.cooldown < rule.within:
        words = "shorter than `within`: the same events may count for two triggers"
        yield Finding(("cooldown",), words, "warning")
    if isinstance(rule, Count) and rule.at_least == 1 and rule.sum is None:
        yield Finding(("at_least",), "one event is enough: `kind: event` says so more simply", "warning")
    if isinstance(rule, Inactivity) and rule.fold in ("orders", "presence") and "max_hold" in rule.model_fields_set:
        yield Finding(("max_hold",), f"nothing resets the wait of `fold: {rule.fold}`: this has no effect", "warning")


def _would_be_at_once(rule: Base, step: int) -> bool:
    return rule.model_copy(update={"wait": None}).at_once(step)
