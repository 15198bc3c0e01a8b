"""Whether Kafka and the decision log hold what the story claims: exactly that, and nothing else. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

FIRED, RETRACTED = "tern.trigger.fired.v1", "tern.trigger.retracted.v1"
_ENDED = "ended"


class Letter(NamedTuple):
    """A trigger on Kafka. `called`: who it is about; `key`: which cart or order; empty for the customer."""

    topic: str
    type: str
    rule: str
    called: str
    key: str = ""

    def __str__(self) -> str:
        return f"{self.type} of {self.rule} for {self.called}{_about(self.key)} on {self.topic}"


class Entry(NamedTuple):
    """A line of the decision log. `became`: `retracted` or `cancelled`, where it fired and was taken back. `gone`: when
    the reason of what ended was gone, by the customer's own clock."""

    called: str
    rule: str
    key: str
    outcome: str
    reason: str | None = None
    mode: str = "live"
    became: str = ""
    gone: str = ""

    def __str__(self) -> str:
        why = f" ({self.reason})" if self.reason else ""
        then = f", then {self.became}" if self.became else f" at {self.gone}" if self.gone else ""
        return f"{self.mode} {self.rule} for {self.called}{_about(self.key)}: {self.outcome}{why}{then}"


class Wait(NamedTuple):
    """A step that the platform said it had put off: why, from when and until when by the customer's own clock."""

    called: str
    rule: str
    key: str
    why: str
    due: str
    until: str

    def __str__(self) -> str:
        return (
            f"{self.rule} for {self.called}{_about(self.key)} put off from {self.due} until {self.until} ({self.why})"
        )


class Claim(NamedTuple):
    """One thing that the story shows, and all that has to be found for it."""

    says: str
    letters: Sequence[Letter] = ()
    log: Sequence[Entry] = ()
    waits: Sequence[Wait] = ()


class Evidence(NamedTuple):
    """What the platform was heard to say. `triggers`: topic and CloudEvent, as read; `decisions`: those about each, as
    the story calls them; `names`: customer id → how the story calls them; `zones`: where they live."""

    triggers: Sequence[tuple[str, Mapping[str, Any]]]
    decisions: Mapping[str, Sequence[Mapping[str, Any]]]
    waits: Sequence[Wait]
    names: Mapping[str, str]
    zones: Mapping[str, ZoneInfo]


def by_the_clock(moment: str, zone: ZoneInfo) -> str:
    """A moment of an answer as a clock there shows it: 23:05."""
    return f"{datetime.fromisoformat(moment).astimezone(zone):%H:%M}"


def faults(claims: Sequence[Claim], seen: Evidence) -> list[str]:
    """What is missing, what is too much, and what does not belong together. Empty when every claim holds."""
    wrong: list[str] = []
    letters = [_letter(topic, event, seen.names) for topic, event in seen.triggers]
    wrong += _differences((one for claim in claims for one in claim.letters), letters, "was not read from Kafka")
    log = _log(claims, seen)
    wrong += _differences((one for claim in claims for one in claim.log), log, "does not stand in the decision log")
    wrong += _differences((one for claim in claims for one in claim.waits), seen.waits, "was not said by explain")
    return wrong + list(_unjoined(seen))


def _differences(wanted: Iterable[object], found: Iterable[object], absent: str) -> list[str]:
    wants, have = Counter(wanted), Counter(found)
    missing = [f"{one} {absent}" for one in (wants - have).elements()]
    return missing + [f"{one} should not be there" for one in (have - wants).elements()]


def _letter(topic: str, event: Mapping[str, Any], names: Mapping[str, str]) -> Letter:
    subject, data = str(event["subject"]), event["data"]
    key = data["reason"]["key"] if event["type"] == FIRED else data["key"]
    return Letter(topic, str(event["type"]), str(data["rule"]), names.get(subject, subject), str(key))


def _log(claims: Sequence[Claim], seen: Evidence) -> Iterator[Entry]:
    """Notes that something ended by itself are told by rules that the story is not about, too: those are left out."""
    told = {entry.rule for claim in claims for entry in claim.log}
    for called, decisions in seen.decisions.items():
        for one in decisions:
            if one["outcome"] != _ENDED or one["rule"] in told:
                yield _entry(called, one, seen.zones[called])


def _entry(called: str, one: Mapping[str, Any], zone: ZoneInfo) -> Entry:
    became = [word for word in ("retracted", "cancelled") if one[f"{word}_at"]]
    gone = by_the_clock(one["facts"]["exit_at"], zone) if one["outcome"] == _ENDED else ""
    what = (one["rule"], one["key"], one["outcome"], one["reason"], one["mode"])
    return Entry(called, *what, became=", ".join(became), gone=gone)


def _unjoined(seen: Evidence) -> Iterator[str]:
    """What takes back a trigger names it, and comes after it."""
    fired: set[str] = set()
    for _, event in seen.triggers:
        trigger_id = str(event["data"]["trigger_id"])
        if event["type"] == FIRED:
            fired.add(trigger_id)
        elif trigger_id not in fired:
            yield f"{event['type']} takes back a trigger that had not been read before it"


def _about(key: str) -> str:
    return f" about {key}" if key else ""
