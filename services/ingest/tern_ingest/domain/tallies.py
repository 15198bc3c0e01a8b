"""What is counted of the events of a source and a day, in memory that is bounded whatever they say.

How many there were, what they are called, and what was wrong with how many is exact; their properties are looked at in
a sample. Nothing here names anybody. Knows no store and no clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Literal, NamedTuple

import msgspec
from msgspec import Raw, Struct

from tern_common.events import EMPTY, Event
from tern_ingest.domain.decisions import Accepted, Decision
from tern_ingest.domain.policy import Counting
from tern_ingest.domain.taxonomy import Vocabulary
from tern_ingest.domain.times import CLOCK_IS_WRONG_ABOVE

What = Literal[
    "accepted", "anonymous", "bot", "late", "skewed", "test",
    "rejected", "refused", "named", "unknown",
    "sampled", "without-consent", "checked", "fault",
]  # fmt: skip
"""The last four are of the sample."""

OTHER = "other"
"""Stands for names of unknown events that are not kept: one too many, too long, or such as could name a person."""
LONGEST_NAME = 64
_MOST_DIGITS = 5
_DIGIT = re.compile(r"\d")


class Key(NamedTuple):
    """What a number counts. `name`: of an event, `about`: the property of a fault, `how`: its kind; of rejected events
    and refused requests the reason."""

    source_id: str
    day: date
    what: What
    name: str = ""
    about: str = ""
    how: str = ""


Counts = dict[Key, int]


class _Consent(Struct, frozen=True):
    category_preferences: Raw = msgspec.field(name="categoryPreferences", default=EMPTY)


class _Context(Struct, frozen=True):
    consent: _Consent | None = None


_context = msgspec.json.Decoder(_Context)


class _Day:
    """Of one source: the numbers since they were last taken."""

    __slots__ = ("accepted", "anonymous", "bot", "late", "names", "refused", "rejected", "sample", "skewed", "test")

    def __init__(self) -> None:
        self.accepted = self.anonymous = self.bot = self.late = self.skewed = self.test = 0
        self.names: dict[str, int] = {}
        self.rejected: dict[str, int] = {}
        self.refused: dict[str, int] = {}
        self.sample: list[Event] = []


class Taken(NamedTuple):
    """What was counted until now, and events to look into."""

    counts: Counts
    sample: list[tuple[str, date, Event]]


class Tallies:
    """Counts decisions as they are carried out, at a cost of about a microsecond each."""

    def __init__(self, numbers: Counting) -> None:
        self._numbers = numbers
        self._days: dict[tuple[str, date], _Day] = {}
        self._sampled = 0

    def note(self, decisions: Iterable[Decision], source_id: str, now: datetime) -> None:
        """Counts what became of one request's events."""
        day = self._day(source_id, now)
        for decision in decisions:
            if isinstance(decision, Accepted):
                self._accept(day, decision.event)
            else:
                day.rejected[decision.reason] = day.rejected.get(decision.reason, 0) + 1

    def refuse(self, reason: str, source_id: str, now: datetime) -> None:
        """Counts a request that was refused, and nothing of it kept."""
        refused = self._day(source_id, now).refused
        refused[reason] = refused.get(reason, 0) + 1

    def _day(self, source_id: str, now: datetime) -> _Day:
        place = source_id, now.date()
        day = self._days.get(place)
        if day is None:
            day = self._days[place] = _Day()
        return day

    def _accept(self, day: _Day, event: Event) -> None:
        day.accepted += 1
        if event.late:
            day.late += 1
        if event.user_id is None:
            day.anonymous += 1
        if event.bot:
            day.bot += 1
        if event.test:
            day.test += 1
        if event.sent_at is not None and abs(event.received_at - event.sent_at) > CLOCK_IS_WRONG_ABOVE:
            day.skewed += 1
        if event.type == "track" and event.name is not None:
            self._count_name(day.names, event.name)
        if len(day.sample) < self._numbers.sample_of_source and self._sampled < self._numbers.sample:
            self._sampled += 1
            day.sample.append(event)

    def _count_name(self, names: dict[str, int], name: str) -> None:
        """Before anybody asks whether it is known: only its length and the number of names are bounded."""
        found = names.get(name)
        if found is None:
            if len(name) > LONGEST_NAME or len(names) >= self._numbers.names_in_memory:
                name = OTHER
            found = names.get(name, 0)
        names[name] = found + 1

    def take(self, vocabulary: Vocabulary) -> Taken:
        """All since the last time."""
        days, self._days, self._sampled = self._days, {}, 0
        counts: Counts = {}
        for (source_id, at), day in days.items():
            for what, number in _plain(day):
                _add(counts, Key(source_id, at, what), number)
            for reason, number in day.rejected.items():
                _add(counts, Key(source_id, at, "rejected", how=reason), number)
            for reason, number in day.refused.items():
                _add(counts, Key(source_id, at, "refused", how=reason), number)
            for said, number in day.names.items():
                known = vocabulary.known(said)
                name = kept_name(said) if known is None else known
                _add(counts, Key(source_id, at, "unknown" if known is None else "named", name), number)
        return Taken(counts, [(*place, event) for place, day in days.items() for event in day.sample])


def _plain(day: _Day) -> Iterator[tuple[What, int]]:
    yield "accepted", day.accepted
    yield "anonymous", day.anonymous
    yield "bot", day.bot
    yield "late", day.late
    yield "skewed", day.skewed
    yield "test", day.test


def kept_name(said: str) -> str:
    """The name of an unknown event, or `other` where it could hold what is about one person: an address, a number."""
    name = said.strip()
    harmless = name.isprintable() and "@" not in name and len(_DIGIT.findall(name)) <= _MOST_DIGITS
    return name if harmless and 0 < len(name) <= LONGEST_NAME else OTHER


def look_into(event: Event, source_id: str, day: date, vocabulary: Vocabulary, counts: Counts) -> None:
    """Adds what an event of the sample is counted as."""
    _add(counts, Key(source_id, day, "sampled"), 1)
    if not _says_consent(event.context):
        _add(counts, Key(source_id, day, "without-consent"), 1)
    name = vocabulary.known(event.name) if event.type == "track" and event.name is not None else None
    if name is None:
        return
    _add(counts, Key(source_id, day, "checked", name), 1)
    for fault in vocabulary.faults(event, name):
        _add(counts, Key(source_id, day, "fault", name, fault.about, fault.kind), 1)


def merge(into: Counts, more: Mapping[Key, int], known: Mapping[tuple[str, date], set[str]], most: int) -> None:
    """Adds `more`. Of a source and day at most `most` names of unknown events are told apart, those in `known` first:
    all others are one."""
    told = {place: set(names) for place, names in known.items()}
    for key in into:
        if key.what == "unknown":
            told.setdefault(key[:2], set()).add(key.name)
    for key, number in more.items():
        _add(into, _told_apart(key, told, most) if key.what == "unknown" else key, number)


def _told_apart(key: Key, told: dict[tuple[str, date], set[str]], most: int) -> Key:
    names = told.setdefault(key[:2], {OTHER})
    names.add(OTHER)
    if key.name not in names and len(names) > most:
        return key._replace(name=OTHER)
    names.add(key.name)
    return key


def _add(counts: Counts, key: Key, number: int) -> None:
    if number:
        counts[key] = counts.get(key, 0) + number


def _says_consent(context: Raw) -> bool:
    try:
        said = _context.decode(context).consent
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return said is not None and bytes(said.category_preferences).startswith(b"{") and said.category_preferences != EMPTY
