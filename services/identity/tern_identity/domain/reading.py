"""What one event says, by itself: pairs, claims and the home it is filed under (identity.md §2).

Knows nothing of what is stored: the same event says the same thing whenever it is read.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, NamedTuple

from tern_common.events import Event
from tern_common.identifiers import (
    Identifier,
    Namespaces,
    identifiers_among,
    identifiers_of,
    says_ids_alone,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FOREVER = 2_147_483_646
CACHED_READINGS = 1 << 16
CACHED_READERS = 4
UNSAYABLE = "\x01"
_EPOCH_ORDINAL = EPOCH.toordinal()

Rank = Literal[1, 2]
_Circumstances = tuple[bool, tuple[str, ...], int]
"""Whether its source is trusted, what its user token vouches for, and its day."""


class Filing(NamedTuple):
    """Where an event is folded: identifiers in priority order, and the UTC day (days since 1970).

    The day is `FOREVER` where no day matters: under a unique identifier, and for doors.
    """

    identifiers: tuple[Identifier, ...]
    day: int


class Claim(NamedTuple):
    """This browser was used by `strong`. Rank 1: a login; 2: a contact on a trusted event."""

    weak: Identifier
    strong: Identifier
    rank: Rank


@dataclass(frozen=True, eq=False, slots=True)
class Reading:
    """What an event says. Equal events share one reading, so that a batch collapses by identity. `doors`: of each
    identifier, and whether it is nothing but a door."""

    identifiers: tuple[Identifier, ...]
    pairs: tuple[tuple[Identifier, Identifier], ...]
    claims: tuple[Claim, ...]
    home: Filing
    doors: tuple[tuple[Filing, bool], ...]
    day: int


def day_of(moment: datetime) -> int:
    """Days since 1970 in UTC."""
    if moment.tzinfo is UTC:
        return moment.toordinal() - _EPOCH_ORDINAL
    return (moment - EPOCH).days


class Reader:
    """Reads events by some namespaces. Depends on an event and on these alone; equal events get the same object."""

    def __init__(self, namespaces: Namespaces) -> None:
        self.namespaces = namespaces
        self._of_ids = lru_cache(maxsize=CACHED_READINGS)(self._read_ids)
        self._of = lru_cache(maxsize=CACHED_READINGS)(self._read)

    def read(self, event: Event, without: Collection[Identifier] = ()) -> Reading:
        """An event with nothing to be filed under is filed under its own message id. `without`: identifiers that were
        erased, which no event has any more."""
        day = day_of(event.event_time)
        if not without and says_ids_alone(event):
            previous_id = event.previous_id if event.type == "alias" else None
            reading = self._of_ids(event.user_id, event.anonymous_id, previous_id, event.trusted, event.vouched, day)
            if reading is not None:
                return reading
        return self.read_plainly(event, day, without)

    def read_plainly(self, event: Event, day: int, without: Collection[Identifier]) -> Reading:
        """The same, whatever the event says, with no short cut."""
        trusted, vouched = event.trusted, event.vouched
        identifiers = tuple(one for one in identifiers_of(event, self.namespaces) if one not in without)
        if any(_can_file(one, trusted, vouched, self.namespaces) for one in identifiers):
            return self._of(identifiers, trusted, vouched, day)
        own = Identifier("anonymous_id", event.message_id)
        if own in without:  # a name that no event can state and nobody can erase
            own = Identifier("anonymous_id", f"{UNSAYABLE}{event.message_id}")
        return self._of((*identifiers, own), trusted, vouched, day)

    def _read_ids(
        self, user_id: str | None, anonymous_id: str | None, previous_id: str | None, *rest: *_Circumstances
    ) -> Reading | None:
        """By nothing but an event's own ids. None: they file it nowhere."""
        identifiers = tuple(identifiers_among(user_id, anonymous_id, previous_id))
        if not any(_can_file(one, rest[0], rest[1], self.namespaces) for one in identifiers):
            return None
        return _reading(identifiers, *rest, self.namespaces)

    def _read(self, said: tuple[Identifier, ...], *rest: *_Circumstances) -> Reading:
        return _reading(said, *rest, self.namespaces)


@lru_cache(maxsize=CACHED_READERS)
def reader(namespaces: Namespaces) -> Reader:
    """The one for these namespaces. Whoever reads many events keeps it: to look for it takes as long as to read one."""
    return Reader(namespaces)


def read(event: Event, namespaces: Namespaces, without: Collection[Identifier] = ()) -> Reading:
    """What one event says, as a `Reader` reads it."""
    return reader(namespaces).read(event, without)


def door(identifier: Identifier) -> Filing:
    """The home that holds no events and tells whose an identifier is at the end of time. A unique one's is ordinary."""
    return Filing((identifier,), FOREVER)


def _can_file(one: Identifier, trusted: bool, vouched: tuple[str, ...], namespaces: Namespaces) -> bool:
    """A contact typed in a browser never receives the event: that would file it under a stranger."""
    return namespaces[one.namespace].kind != "strong" or _is_sure(one, trusted, vouched)


def _is_sure(one: Identifier, trusted: bool, vouched: tuple[str, ...]) -> bool:
    return trusted or one.namespace in vouched


def _reading(
    said: tuple[Identifier, ...], trusted: bool, vouched: tuple[str, ...], day: int, namespaces: Namespaces
) -> Reading:
    ordered = tuple(sorted(said, key=lambda one: (namespaces.order(one.namespace), one.value)))
    kinds = [namespaces[one.namespace].kind for one in ordered]
    strong = [one for one, kind in zip(ordered, kinds, strict=True) if kind != "weak"]
    weak = ordered[len(strong) :]
    sure = tuple(one for one in strong if _is_sure(one, trusted, vouched))
    doors = tuple((door(one), kind != "unique") for one, kind in zip(ordered, kinds, strict=True))
    pairs = tuple((sure[0], other) for other in sure[1:])
    if kinds[0] == "unique":
        logins = tuple(Claim(browser, strong[0], 1) for browser in weak)
        return Reading(ordered, pairs, logins, doors[0][0], doors, day)
    contacts = tuple(Claim(browser, sure[0], 2) for browser in weak) if sure else ()
    return Reading(ordered, pairs, contacts, Filing(sure or weak, day), doors, day)
