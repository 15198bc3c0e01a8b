"""Facts by what they are: each fold takes those it reads from one shelf, sorted once. Knows nothing of rounds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from tern_common.conditions import Value, holds, value_of
from tern_common.identifiers import is_blocked_word
from tern_triggers.domain.facts import TEXT_LIMIT, Fact, Said
from tern_triggers.domain.rules import EventFilter
from tern_triggers.domain.story import Exit, Gone, Moment, ReasonShown


class Shelf:
    """One customer's facts by kind, and events by name; all in order of (time, message id)."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        self._by_kind: dict[str, list[Fact]] = {}
        self._events: dict[str, list[Fact]] = {}
        for fact in facts:
            self._by_kind.setdefault(fact.kind, []).append(fact)
            if fact.kind == "event":
                self._events.setdefault(fact.key, []).append(fact)

    def of(self, kind: str) -> Sequence[Fact]:
        """All facts of a kind."""
        return self._by_kind.get(kind, ())

    def events(self, name: str) -> Sequence[Fact]:
        """All events of a name, as it is filed."""
        return self._events.get(name, ())

    def matching(self, wanted: EventFilter | None) -> list[Fact]:
        """The events that a filter lets through; none without a filter."""
        if wanted is None:
            return []
        found = [fact for name in wanted.keys for fact in self.events(name) if passes(wanted, fact)]
        return sorted(found, key=lambda fact: (fact.at, fact.message_id))


def matches(wanted: EventFilter | None, fact: Fact) -> bool:
    """Whether a fact is an event that the filter lets through."""
    return wanted is not None and fact.kind == "event" and fact.key in wanted.keys and passes(wanted, fact)


def passes(wanted: EventFilter, fact: Fact) -> bool:
    """Whether an event of a wanted name satisfies the filter's condition."""
    return wanted.where is None or holds(wanted.where, lambda path: value_in(fact, path))


def value_in(fact: Fact, path: str) -> Value:
    """What an event says at a path."""
    return value_of(fact.body.said.get(path))


def key_in(name: str | None, fact: Fact) -> str | None:
    """What a cycle is about: the property of that name; '' where rules name none, None where the event names nothing.

    Words that stand for nothing (`null`, `undefined`) are not the name of anything.
    """
    if name is None:
        return ""
    key = text_of(fact.body.said.get(name))
    return None if key is None or is_blocked_word(key) else key


def text_of(said: Said | None) -> str | None:
    """A name as people write it: `7`, `7.0` and `"7"` are one. None for what is too long to be one: a number of
    thousands of digits, which no index would take.
    """
    if said is None or isinstance(said, bool):
        return None
    text = format(Decimal(str(said)).normalize(), "f") if isinstance(said, float) else str(said)
    return text if 0 < len(text) <= TEXT_LIMIT else None


def by_key(name: str | None, facts: Iterable[Fact]) -> dict[str, list[Fact]]:
    """The facts by what they are about, each list in the order given. Those about nothing are left out."""
    found: dict[str, list[Fact]] = {}
    for fact in facts:
        key = key_in(name, fact)
        if key is not None:
            found.setdefault(key, []).append(fact)
    return found


def moment_of(fact: Fact) -> Moment:
    """A fact as something that starts or resets."""
    return Moment(fact.at, fact.message_id, fact.home_id, fact.passive)


def exit_of(fact: Fact, why: Gone) -> Exit:
    """A fact as something that ends all up to its own instant."""
    return Exit(fact.at, fact.at, why, fact.message_id)


def shown(facts: dict[str, Said], fact: Fact) -> ReasonShown:
    """What there is to show of a reason whose last event this is."""
    said = fact.body.said
    return ReasonShown(facts, text_of(said.get("product_id")), text_of(said.get("category")))
