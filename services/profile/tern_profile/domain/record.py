"""What a customer's fold means: orders, contact points, verdicts; and the public record made of them.

The public record holds what moves slowly, so that most events publish nothing. Knows subjects through a function.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from heapq import nsmallest
from typing import NamedTuple

from tern_common.events import Computed, Contact, PublicProfile, encode
from tern_common.identifiers import normalise
from tern_profile.domain import consent, orders, preferences, rhythm
from tern_profile.domain.classes.conditions import COMPUTED
from tern_profile.domain.classes.holding import Seen, holding, next_turn
from tern_profile.domain.computed.published import published
from tern_profile.domain.consent import CHANNEL_CONTACT, OWN, PLAIN, Consent
from tern_profile.domain.declarations import NOTHING_DECLARED, Declarations
from tern_profile.domain.orders import Kept
from tern_profile.domain.reading import SubjectOf
from tern_profile.domain.rhythm import Rhythm
from tern_profile.domain.standing import REMOVED, Standing, contact_points

Topic = tuple[str, str]
"""(purpose, channel)."""

Named = Mapping[str, Mapping[Topic, Consent]]
"""Subject → what all homes together say about that contact."""

Verdicts = dict[str, dict[str, bool]]
DIGEST_BYTES = 16

TOPICS_KEPT = 64
"""Verdicts in a record. Anyone may say any purpose about anyone's contact: without a bound he could make the record too
large for Kafka. What is left out reads as refused."""


class Known(NamedTuple):
    """What the public record is made of: the fold of a customer's homes, and what their memberships say.

    `passed`: what would have happened before is known, so that its absence is certain; None: of no moment.
    """

    customer_id: str
    first_at: datetime | None = None
    last_at: datetime | None = None
    shared: bool = False
    standing: Standing = Standing()
    merged_into: str | None = None
    rhythm: Rhythm = Rhythm()
    passed: datetime | None = None


class _Point(NamedTuple):
    """A contact point of a customer and what was said about it."""

    kind: str
    trusted: bool
    consents: Mapping[Topic, Consent]


def subjects(standing: Standing, subject_of: SubjectOf) -> dict[str, str]:
    """Channel of each contact point → the subject that its consent is kept under."""
    return {kind: subject_of(kind, value) for kind, (value, _) in contact_points(standing).items()}


def verdicts(known: Known, named: Named, subject_of: SubjectOf) -> Verdicts:
    """Purpose → channel → whether the customer may be contacted. Nobody may contact a shared one."""
    own, of_others = _own(known.standing), Consent(withdrawn_at=known.standing.withdrawn)
    subject = subjects(known.standing, subject_of)
    reach = contact_points(known.standing)
    points = [_Point(kind, trusted, named.get(subject[kind], {})) for kind, (_, trusted) in reach.items()]
    allowed = {
        topic: _allowed(own.get(topic, of_others), points, topic)
        for topic in set(own).union(*(point.consents for point in points))
    }
    found: Verdicts = {}
    for purpose, channel in _weightiest(allowed, own, points):
        found.setdefault(purpose, {})[channel] = allowed[purpose, channel] and not known.shared
    return found


def _weightiest(allowed: Mapping[Topic, bool], own: Mapping[Topic, Consent], points: Iterable[_Point]) -> list[Topic]:
    """At most `TOPICS_KEPT`, sorted. Plain ones first, then those a trusted event granted, those the customer's own
    homes speak of, those that are allowed: so that who only names a contact displaces nothing but his own kind."""
    if len(allowed) <= TOPICS_KEPT:
        return sorted(allowed)
    trusted = {topic for said in (own, *(point.consents for point in points)) for topic in said if said[topic].trusted}

    def weight(topic: Topic) -> tuple[bool, bool, bool, bool, Topic]:
        return topic not in PLAIN, topic not in trusted, topic not in own, not allowed[topic], topic

    return sorted(nsmallest(TOPICS_KEPT, allowed, key=weight))


def _own(standing: Standing) -> dict[Topic, Consent]:
    keyed = ((consent.key_of(text), said) for text, said in standing.consents.items())
    return {(key.purpose, key.channel): said for key, said in keyed if key.subject == OWN}


def _allowed(own: Consent, points: Iterable[_Point], topic: Topic) -> bool:
    """Over the customer's own homes and the rows of his contacts. A grant to a contact speaks for the channel that
    reaches it, and for others only if the contact point is trusted; a withdrawal always counts."""
    grants, withdrawals = [own.granted], [own.withdrawn_at]
    for point in points:
        said = point.consents.get(topic, Consent())
        withdrawals.append(said.withdrawn_at)
        if point.trusted or CHANNEL_CONTACT.get(topic[1]) == point.kind:
            grants.append(consent.counting(said))
    return consent.allowed(grants, withdrawals)


def public_record(
    known: Known, named: Named, subject_of: SubjectOf, declared: Declarations = NOTHING_DECLARED
) -> PublicProfile:
    """The record without its version. An absorbed customer's only says into whom."""
    if known.merged_into is not None:
        return PublicProfile(customer_id=known.customer_id, profile_version=0, merged_into=known.merged_into)
    standing = known.standing
    kept = orders.as_kept(standing.orders, standing.returns)
    seen = _seen(known, declared, kept) if declared else None
    totals = orders.totals(kept)
    zone = preferences.zone(standing, known.rhythm)
    return PublicProfile(
        customer_id=known.customer_id,
        profile_version=0,
        shared=known.shared,
        traits={name: trait.value for name, trait in sorted(standing.traits.items()) if trait.value != REMOVED},
        contacts=contacts(standing),
        consent=verdicts(known, named, subject_of),
        first_seen_day=day(known.first_at),
        last_seen_day=day(known.last_at),
        orders=totals.orders,
        order_value=totals.leading,
        last_order_at=totals.last_at,
        zone=None if zone is None else zone.name,
        zone_from=None if zone is None else zone.source,
        active_hours=rhythm.histogram(standing.days),
        preferred_channels=preferences.channels(standing.traits),
        computed=_computed(seen) if seen else {},
        classes=holding(declared.classes, seen, known.first_at) if seen else {},
    )


def next_change(known: Known, declared: Declarations) -> datetime | None:
    """The earliest moment after `passed` at which the record may change although nothing happens."""
    kept = orders.as_kept(known.standing.orders, known.standing.returns)
    return next_turn(declared.classes, _seen(known, declared, kept))


def _seen(known: Known, declared: Declarations, kept: list[Kept]) -> Seen:
    standing = known.standing
    tallies = {path: tally for path, tally in standing.tallies.items() if not path.startswith(COMPUTED)}
    for name, key in declared.keys.items():
        if key in standing.tallies:
            tallies[COMPUTED + name] = standing.tallies[key]
    return Seen(kept, tallies, declared.computed, known.passed)


def _computed(seen: Seen) -> dict[str, Computed]:
    found: dict[str, Computed] = {}
    for name, one in sorted(seen.computed.items()):
        tally = seen.tallies.get(COMPUTED + name)
        shown = None if tally is None else published(one, tally, seen.passed)
        if shown is not None:
            found[name] = shown
    return found


def contacts(standing: Standing) -> dict[str, Contact]:
    """By channel. Doubtful: a company's or a role's mailbox, a number that may be nobody's own."""
    points = contact_points(standing).items()
    return {
        kind: Contact(value=value, trusted=trusted, doubtful=normalise(kind, value).quality == "suspicious")
        for kind, (value, trusted) in points
    }


def day(at: datetime | None) -> str | None:
    """The ISO date in UTC."""
    return None if at is None else at.astimezone(UTC).date().isoformat()


def digest(record: PublicProfile) -> bytes:
    """Equal digests: there is nothing to publish."""
    return blake2b(encode(record), digest_size=DIGEST_BYTES).digest()
