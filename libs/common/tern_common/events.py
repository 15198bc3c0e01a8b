"""The wire models: what stands in the values of Tern's topics.

JSON, readable; inside a version a model only gains optional fields. Free-form parts stay raw bytes, so that they pass
through untouched. Times are RFC 3339, UTC. `home_id` is 32 hex digits; customer ids are UUIDs as text.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Raw, Struct

from tern_common.errors import Poison

EventType = Literal["track", "identify", "page", "screen", "group", "alias"]
Mode = Literal["live", "replay", "backfill"]

_T = TypeVar("_T")

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""An instant: never without its offset."""

FIRST_YEAR, LAST_YEAR = 1970, 2999
LATE_AFTER = timedelta(hours=4)
EMPTY = Raw(b"{}")


class Event(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """One tracking call on `tern.events.v1`, stamped by ingest.

    `context`, `traits`, `properties` and `integrations` are JSON objects as the client sent them. `name` is the
    track event's or the page's name. `trusted` belongs to the write key. `event_time` is skew-corrected and clamped.
    `vouched` names the namespaces whose values a user token has signed; `unsigned_user_id` is a login that its source
    does not take for one, and identifies nobody. `extra` holds the members of a call that are none of the above, as
    the client sent them. `bot`: a robot's, by its user agent. `test`: not meant, by its context or its source.
    """

    message_id: str
    type: EventType
    event_time: Moment
    received_at: Moment
    source_id: str
    trusted: bool = False
    name: str | None = None
    user_id: str | None = None
    anonymous_id: str | None = None
    previous_id: str | None = None
    group_id: str | None = None
    sent_at: Moment | None = None
    replayed_at: Moment | None = None
    mode: Mode = "live"
    vouched: tuple[str, ...] = ()
    context: Raw = EMPTY
    traits: Raw = EMPTY
    properties: Raw = EMPTY
    integrations: Raw = EMPTY
    unsigned_user_id: str | None = None
    extra: Raw = EMPTY
    bot: bool = False
    test: bool = False

    @property
    def late(self) -> bool:
        """Whether it came more than four hours after it happened; both times are on it, so order cannot matter."""
        return (self.replayed_at or self.received_at) - self.event_time > LATE_AFTER


class HomeVersion(Struct, frozen=True):
    """One home's membership, as a part of a change: the highest version of a home wins, everywhere."""

    home_id: str
    version: int


class ResolvedEvent(Struct, kw_only=True, omit_defaults=True, frozen=True, tag_field="kind", tag="event"):
    """An event with where it is filed and whose it is: itself a membership statement. `shared`: nobody's customer."""

    home_id: str
    customer_id: str
    membership_version: int
    event: Raw
    shared: bool = False


class MembershipChange(
    Struct, kw_only=True, omit_defaults=True, frozen=True, tag_field="kind", tag="membership", rename={"from_": "from"}
):
    """Homes whose customer changed. `doors` are homes that hold no events: one per identifier, for look-ups.

    `from_` lists the customers that the homes belonged to before; `cause` says why (identity.md §5). `erased`: the
    homes are gone for good, and nothing that was filed in them may be kept.
    """

    customer_id: str
    homes: tuple[HomeVersion, ...] = ()
    doors: tuple[HomeVersion, ...] = ()
    from_: tuple[str, ...] = ()
    cause: dict[str, str | int] = {}
    shared: bool = False
    erased: bool = False


Resolved = ResolvedEvent | MembershipChange


class Merged(Struct, kw_only=True, omit_defaults=True, frozen=True, tag_field="type", tag="merged"):
    """On `tern.identity.v1`: all that was `absorbed` is `survivor` now; `merge_id` names it for a revert."""

    merge_id: str
    survivor: str
    absorbed: str
    cause: dict[str, str | int] = {}


class Split(
    Struct, kw_only=True, omit_defaults=True, frozen=True, tag_field="type", tag="split", rename={"from_": "from"}
):
    """On `tern.identity.v1`: these homes left one customer for another, and the first one still stands."""

    from_: str
    to: str
    homes: tuple[str, ...]
    cause: dict[str, str | int] = {}


class Violation(Struct, kw_only=True, omit_defaults=True, frozen=True, tag_field="type", tag="violation"):
    """On `tern.identity.v1`: a notice that a guard refused a pair, or that a node became shared. May be overturned."""

    customer_id: str
    guard: str
    namespaces: tuple[str, ...]
    message_id: str | None = None


IdentityNotice = Merged | Split | Violation


class Claim(Struct, kw_only=True, frozen=True):
    """On `tern.progress.v1`: all that follows from events acknowledged before `at` lies below `ends`.

    `ends`: topic → partition (as text) → offset of the first record that is not covered.
    """

    service: str
    lane: str
    at: Moment
    ends: dict[str, dict[str, int]]


PAUSE_KEY = b"pause"
"""The key of `Pause` on `tern.progress.v1`; no service is called so."""


class Pause(Struct, kw_only=True, frozen=True):
    """On `tern.progress.v1` under `PAUSE_KEY`: nobody claims before `until`, which is real time, not the domain's.

    An empty value ends it before.
    """

    until: Moment


class Contact(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """A contact point of a profile. `doubtful`: well-formed, yet perhaps of no use (a disposable or role address, a
    number of no known carrier range)."""

    value: str
    trusted: bool = False
    doubtful: bool = False


class Computed(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """A computed trait: its value (text, number or truth), and the event time since which it is that."""

    value: str | int | float | bool
    since: Moment


class PublicProfile(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """On `tern.profiles.v1`: what moves slowly about one customer. Readers keep the highest `profile_version`.

    `merged_into` alone (with the version) when the customer was absorbed. `consent`: purpose → channel → verdict.
    `contacts`: channel (`email`, `phone`) → contact point. Days are ISO dates in UTC. `zone`: an IANA time zone, and
    what it was concluded from. `active_hours`: how many events fell into each hour of the day (24 counts, UTC), of all
    days before the last one. `preferred_channels`: best first. `computed`: traits that the operators declared, by name.
    `classes`: names of declared conditions that hold, with the event time since which they do.
    """

    customer_id: str
    profile_version: int
    merged_into: str | None = None
    shared: bool = False
    traits: dict[str, Raw] = {}
    contacts: dict[str, Contact] = {}
    consent: dict[str, dict[str, bool]] = {}
    first_seen_day: str | None = None
    last_seen_day: str | None = None
    orders: int = 0
    order_value: Decimal = Decimal(0)
    last_order_at: datetime | None = None
    zone: str | None = None
    zone_from: Literal["trait", "context", "address", "phone"] | None = None
    active_hours: tuple[int, ...] = ()
    preferred_channels: tuple[str, ...] = ()
    computed: dict[str, Computed] = {}
    classes: dict[str, datetime] = {}


_event = msgspec.json.Decoder(Event)
_resolved: msgspec.json.Decoder[ResolvedEvent | MembershipChange] = msgspec.json.Decoder(Resolved)
_claim = msgspec.json.Decoder(Claim)
_pause = msgspec.json.Decoder(Pause)
_profile = msgspec.json.Decoder(PublicProfile)
_encoder = msgspec.json.Encoder(decimal_format="number")


def _decode(decoder: msgspec.json.Decoder[_T], value: bytes | Raw, reason: str) -> _T:
    try:
        return decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        raise Poison(reason) from wrong


def decode_event(value: bytes | Raw) -> Event:
    """Raises `Poison`, also for a year that no calendar arithmetic survives."""
    event = _decode(_event, value, "not-an-event")
    for at in (event.event_time, event.received_at, event.sent_at, event.replayed_at):
        if at is not None and not FIRST_YEAR <= at.year <= LAST_YEAR:
            raise Poison("time-out-of-range")
    return event


def decode_resolved(value: bytes) -> Resolved:
    """Raises `Poison`."""
    return _decode(_resolved, value, "not-a-resolved-record")


def decode_claim(value: bytes) -> Claim:
    """Raises `Poison`."""
    return _decode(_claim, value, "not-a-claim")


def decode_pause(value: bytes) -> Pause:
    """Raises `Poison`."""
    return _decode(_pause, value, "not-a-pause")


def decode_profile(value: bytes) -> PublicProfile:
    """Raises `Poison`."""
    return _decode(_profile, value, "not-a-profile")


def encode(model: Struct) -> bytes:
    """JSON bytes of any wire model."""
    return _encoder.encode(model)
