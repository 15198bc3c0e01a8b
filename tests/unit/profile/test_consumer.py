"""What the service takes from the wire, and what it refuses one by one."""

from __future__ import annotations

from datetime import UTC
from typing import cast

import msgspec
import pytest
from msgspec import Raw

from tern_common.bus import Producer, Record
from tern_common.db import Pool
from tern_common.errors import Poison
from tern_common.events import HomeVersion, MembershipChange, Resolved, ResolvedEvent, encode
from tern_common.hashing import Hasher
from tern_profile.consumer import ProfileHandler
from tern_profile.domain.statements import FOREVER, Edge, Filed, Membership, Moved
from unit.profile.saying import POLICY, at, track

HOME, DOOR = "ab" * 16, "cd" * 16
ANN, VISITOR = "018f0000-0000-7000-8000-000000000001", "018f0000-0000-7000-8000-000000000002"
EVENT = encode(track("Search", 1, "m"))


@pytest.fixture
def handler() -> ProfileHandler:
    """One that only reads."""
    return ProfileHandler(cast(Pool, None), cast(Producer, None), Hasher(b"a key for tests only"), POLICY)


def record(said: Resolved | bytes) -> Record:
    return Record("resolved", 0, 0, b"k", said if isinstance(said, bytes) else encode(said))


def resolved(event: bytes = EVENT, home: str = HOME, customer: str = ANN) -> ResolvedEvent:
    return ResolvedEvent(home_id=home, customer_id=customer, membership_version=7, event=Raw(event), shared=True)


def test_an_event_is_a_membership_and_a_message(handler: ProfileHandler) -> None:
    said = handler.decode(record(resolved()))
    assert isinstance(said, Filed)
    assert said.home == bytes.fromhex(HOME)
    assert said.membership == Membership(ANN, 7, shared=True)
    assert (said.message_id, said.event_time, said.raw) == ("m", at(1), EVENT.decode())


def test_a_change_speaks_of_homes_and_doors_alike(handler: ProfileHandler) -> None:
    change = MembershipChange(
        customer_id=ANN.upper(), homes=(HomeVersion(HOME, 3),), doors=(HomeVersion(DOOR, 4),), from_=(VISITOR,)
    )
    assert handler.decode(record(change)) == Moved(
        ((bytes.fromhex(HOME), Membership(ANN, 3)), (bytes.fromhex(DOOR), Membership(ANN, 4))),
        ((VISITOR, Edge(ANN, 4)),),
    )


def test_an_erasure_leads_nowhere_and_its_own_id_stands_for_nobody(handler: ProfileHandler) -> None:
    change = MembershipChange(
        customer_id=ANN, homes=(HomeVersion(HOME, 3),), from_=(VISITOR,), shared=True, erased=True
    )
    said = handler.decode(record(change))
    assert said == Moved(
        ((bytes.fromhex(HOME), Membership(None, 3, shared=True)),),
        ((VISITOR, Edge(None, 3)), (ANN, Edge(None, FOREVER))),
    )
    assert isinstance(said, Moved)
    assert said.sources == [VISITOR, ANN]


def test_times_are_kept_in_utc(handler: ProfileHandler) -> None:
    elsewhere = EVENT.replace(b"T13:00:00Z", b"T15:00:00+02:00")
    said = handler.decode(record(resolved(elsewhere)))
    assert isinstance(said, Filed)
    assert said.event_time == at(1)
    assert said.event_time.tzinfo is UTC


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"junk", "not-a-resolved-record"),
        (resolved(b"[]"), "not-an-event"),
        (resolved(home="xy" * 16), "not-a-home"),
        (resolved(home="ab"), "not-a-home"),
        (resolved(customer="ann"), "not-a-customer"),
        (resolved(EVENT.replace(b'"m"', b'"m\\u0000"')), "not-a-stamped-event"),
        (resolved(EVENT.replace(b"T13:00:00Z", b"T13:00:00")), "not-an-event"),
        (resolved(EVENT[:-1] + b',"x":"\xff"}'), "not-utf-8"),
    ],
)
def test_what_cannot_be_applied_is_poison(handler: ProfileHandler, said: Resolved | bytes, reason: str) -> None:
    with pytest.raises(Poison) as refused:
        handler.decode(record(said))
    assert refused.value.reason == reason


def test_the_raw_event_is_kept_byte_for_byte(handler: ProfileHandler) -> None:
    odd = EVENT.replace(b'"m"', b'"m" ').replace(b"{}", b'{"a": 1.50, "b":"\\u0000"}')
    said = handler.decode(record(resolved(odd)))
    assert isinstance(said, Filed)
    assert said.raw.encode() == odd
    assert msgspec.json.decode(said.raw)["message_id"] == "m"
