"""Whether what was read from Kafka is what should have happened: exactly that, and nothing else. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

FIRED = "tern.trigger.fired.v1"


class Expected(NamedTuple):
    """A trigger that must have been published once."""

    topic: str
    rule: str
    called: str


class Found(NamedTuple):
    """A trigger that was published. `called`: who it is about, or the bare customer id."""

    topic: str
    rule: str
    called: str
    type: str


def found(triggers: Iterable[tuple[str, Mapping[str, Any]]], names: Mapping[str, str]) -> list[Found]:
    """`triggers`: topic and CloudEvent; `names`: customer id → how the story calls them."""
    return [_found(topic, event, names) for topic, event in triggers]


def _found(topic: str, event: Mapping[str, Any], names: Mapping[str, str]) -> Found:
    subject = str(event["subject"])
    return Found(topic, str(event["data"]["rule"]), names.get(subject, subject), str(event["type"]))


def faults(expected: Iterable[Expected], read: Iterable[Found]) -> list[str]:
    """What is missing and what is too much, as sentences. Empty when the story ended as it should."""
    wanted = Counter(Found(*one, FIRED) for one in expected)
    have = Counter(read)
    missing = [f"{one.rule} for {one.called} was not published" for one in (wanted - have).elements()]
    extra = [f"{one.type} of {one.rule} for {one.called} should not be there" for one in (have - wanted).elements()]
    return missing + extra
