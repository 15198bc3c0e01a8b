"""What one event says, by itself: pairs, claims and the home it is filed under (identity.md §2).

Knows nothing of what is stored: the same event says the same thing whenever it is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, NamedTuple

from tern_common.events import Event
from tern_common.identifiers import NAMESPACES, Identifier, identifiers_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FOREVER = 2_147_483_646
CACHED_READINGS = 1 << 16

Rank = Literal[1, 2]


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
    """What an event says. Equal events share one reading, so that a batch collapses by identity."""

    identifiers: tuple[Identifier, ...]
    pairs: tuple[tuple[Identifier, Identifier], ...]
    claims: tuple[Claim, ...]
    home: Filing
    day: int


def day_of(moment: datetime) -> int:
    """Days since 1970 in UTC."""
    return (moment - EPOCH).days


def read(event: Event) -> Reading:
    """Depends on the event alone. An event with nothing to be filed under is filed under its own message id."""
    identifiers = tuple(identifiers_of(event))
    day = day_of(event.event_time)
    if any(_can_file(identifier, event) for identifier in identifiers):
        return _read(identifiers, event.trusted, event.vouched, day)
    own = Identifier("anonymous_id", event.message_id)
    return _read((*identifiers, own), event.trusted, event.vouched, day)


def door(identifier: Identifier) -> Filing:
    """The home that holds no events and tells whose an identifier is at the end of time. A unique one's is ordinary."""
    return Filing((identifier,), FOREVER)


def _can_file(identifier: Identifier, event: Event) -> bool:
    """A contact typed in a browser never receives the event: that would file it under a stranger."""
    return NAMESPACES[identifier.namespace].kind != "strong" or _is_sure(identifier, event.trusted, event.vouched)


def _is_sure(identifier: Identifier, trusted: bool, vouched: tuple[str, ...]) -> bool:
    return trusted or identifier.namespace in vouched


def _rank_in_priority(identifier: Identifier) -> tuple[int, str]:
    return NAMESPACES[identifier.namespace].priority, identifier.value


@lru_cache(maxsize=CACHED_READINGS)
def _read(said: tuple[Identifier, ...], trusted: bool, vouched: tuple[str, ...], day: int) -> Reading:
    ordered = tuple(sorted(said, key=_rank_in_priority))
    strong = [one for one in ordered if NAMESPACES[one.namespace].kind != "weak"]
    weak = tuple(one for one in ordered if NAMESPACES[one.namespace].kind == "weak")
    sure = tuple(one for one in strong if _is_sure(one, trusted, vouched))
    pairs = tuple((sure[0], other) for other in sure[1:])
    if strong and NAMESPACES[strong[0].namespace].kind == "unique":
        logins = tuple(Claim(browser, strong[0], 1) for browser in weak)
        return Reading(ordered, pairs, logins, Filing((strong[0],), FOREVER), day)
    contacts = tuple(Claim(browser, sure[0], 2) for browser in weak) if sure else ()
    return Reading(ordered, pairs, contacts, Filing(sure or weak, day), day)
