"""What follows from what a customer said of himself: the zone he lives in, and the channels he would rather hear on.

A zone is concluded from the surest source there is: what was said of the person, what his devices say, where his
parcels go, where his telephone is registered. None of them: unknown, and never UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

import msgspec

from tern_profile.domain import zones
from tern_profile.domain.delivery import ADDRESS, zone_of_trait
from tern_profile.domain.rhythm import Rhythm
from tern_profile.domain.standing import Standing, Trait

MOST_CHANNELS = 8

_ZONE_TRAITS = frozenset({"timezone", "time_zone", "timeZone"})
_CHANNEL_TRAITS = frozenset(
    {
        "preferred_channels",
        "preferred_channel",
        "channel_preference",
        "preferredChannels",
        "preferredChannel",
        "channelPreference",
    }
)
_CHANNEL = re.compile("[a-z0-9_-]{1,32}")

ZoneFrom = Literal["trait", "context", "address", "phone"]


class Zone(NamedTuple):
    """An IANA zone and what it was concluded from."""

    name: str
    source: ZoneFrom


def zone(standing: Standing, rhythm: Rhythm) -> Zone | None:
    """Where the customer lives, by the clock."""
    if (name := _zone_trait(standing.traits)) is not None:
        return Zone(name, "trait")
    if rhythm.zone is not None:
        return Zone(rhythm.zone.zone, "context")
    if (name := _delivery(standing)) is not None:
        return Zone(name, "address")
    return _phone(standing)


def channels(traits: Mapping[str, Trait]) -> tuple[str, ...]:
    """Channels that the customer prefers, best first; what is no channel's name is left out."""
    if _CHANNEL_TRAITS.isdisjoint(traits):
        return ()
    for trait in _newest(traits, _CHANNEL_TRAITS):
        if found := _tokens(msgspec.json.decode(trait.value)):
            return found
    return ()


def _zone_trait(traits: Mapping[str, Trait]) -> str | None:
    if _ZONE_TRAITS.isdisjoint(traits):
        return None
    said = (zones.named(msgspec.json.decode(trait.value)) for trait in _newest(traits, _ZONE_TRAITS))
    return next((name for name in said if name is not None), None)


def _delivery(standing: Standing) -> str | None:
    """Of the newest address that tells it."""
    said = standing.delivery
    trait = standing.traits.get(ADDRESS)
    if trait is None or (said is not None and said.at > trait.at):
        return None if said is None else said.value
    return zone_of_trait(trait.value) or (None if said is None else said.value)


def _phone(standing: Standing) -> Zone | None:
    said = standing.trusted.get("phone") or standing.typed.get("phone")
    found = None if said is None else zones.of_phone(said.value)
    return None if found is None else Zone(found, "phone")


def _newest(traits: Mapping[str, Trait], names: Iterable[str]) -> list[Trait]:
    """Those that are said, the last word first."""
    return sorted((traits[name] for name in names if name in traits), key=lambda trait: trait.rank, reverse=True)


def _tokens(said: object) -> tuple[str, ...]:
    """Of a list of names, or of a text with names between commas; each once."""
    parts = said.split(",") if isinstance(said, str) else said
    if not isinstance(parts, list):
        return ()
    names = (part.strip().casefold() for part in parts if isinstance(part, str))
    return tuple(dict.fromkeys(name for name in names if _CHANNEL.fullmatch(name)))[:MOST_CHANNELS]
