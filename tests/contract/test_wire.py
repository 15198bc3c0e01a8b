"""The bytes of every wire model, as they were first published: a change here breaks whoever reads them.

A golden is never edited, only added to: inside a version a model only gains optional fields.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
import pytest
from msgspec import Raw

from tern_common.errors import Poison
from tern_common.events import (
    Claim,
    Computed,
    Contact,
    Event,
    HomeVersion,
    IdentityNotice,
    MembershipChange,
    Merged,
    PublicProfile,
    ResolvedEvent,
    Split,
    Violation,
    decode_claim,
    decode_event,
    decode_profile,
    decode_resolved,
    encode,
)

ANN, BOB = "018f0000-0000-7000-8000-000000000001", "018f0000-0000-7000-8000-000000000002"
HOME, DOOR = "ab" * 16, "cd" * 16
AT = datetime(2026, 3, 1, 12, 0, 0, 250_000, UTC)
SOON = datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC)

_notice: msgspec.json.Decoder[Merged | Split | Violation] = msgspec.json.Decoder(IdentityNotice)


class Golden(NamedTuple):
    """A value, its bytes, and how they are read."""

    model: msgspec.Struct
    value: bytes
    decode: Callable[[bytes], object]


EVENT = (
    b'{"message_id":"m-1","type":"track","event_time":"2026-03-01T12:00:00.250000Z",'
    b'"received_at":"2026-03-01T12:00:01Z","source_id":"s-1"}'
)

GOLDENS = {
    "event": Golden(
        Event(message_id="m-1", type="track", event_time=AT, received_at=SOON, source_id="s-1"), EVENT, decode_event
    ),
    "event, all fields": Golden(
        Event(
            message_id="m-1",
            type="track",
            event_time=AT,
            received_at=SOON,
            source_id="s-1",
            trusted=True,
            name="Order Completed",
            user_id="u-1",
            anonymous_id="a-1",
            previous_id="a-0",
            group_id="g-1",
            sent_at=AT,
            replayed_at=SOON,
            mode="replay",
            vouched=("email",),
            context=Raw(b'{"ip":"203.0.113.7"}'),
            traits=Raw(b'{"email":"ann@example.com"}'),
            properties=Raw(b'{ "total" : 9.90, "odd": 1e2 }'),
            integrations=Raw(b'{"all":false}'),
        ),
        EVENT[:-1] + b',"trusted":true,"name":"Order Completed","user_id":"u-1","anonymous_id":"a-1",'
        b'"previous_id":"a-0","group_id":"g-1","sent_at":"2026-03-01T12:00:00.250000Z",'
        b'"replayed_at":"2026-03-01T12:00:01Z","mode":"replay","vouched":["email"],"context":{"ip":"203.0.113.7"},'
        b'"traits":{"email":"ann@example.com"},"properties":{ "total" : 9.90, "odd": 1e2 },'
        b'"integrations":{"all":false}}',
        decode_event,
    ),
    "event, unsigned login": Golden(
        Event(message_id="m-1", type="track", event_time=AT, received_at=SOON, source_id="s-1", unsigned_user_id="u-1"),
        EVENT[:-1] + b',"unsigned_user_id":"u-1"}',
        decode_event,
    ),
    "resolved event": Golden(
        ResolvedEvent(home_id=HOME, customer_id=ANN, membership_version=7, event=Raw(EVENT)),
        b'{"kind":"event","home_id":"%s","customer_id":"%s","membership_version":7,"event":%s}'
        % (HOME.encode(), ANN.encode(), EVENT),
        decode_resolved,
    ),
    "resolved event, shared": Golden(
        ResolvedEvent(home_id=HOME, customer_id=ANN, membership_version=7, event=Raw(b"{}"), shared=True),
        b'{"kind":"event","home_id":"%s","customer_id":"%s","membership_version":7,"event":{},"shared":true}'
        % (HOME.encode(), ANN.encode()),
        decode_resolved,
    ),
    "membership change": Golden(
        MembershipChange(
            customer_id=ANN,
            homes=(HomeVersion(HOME, 7),),
            doors=(HomeVersion(DOOR, 8),),
            from_=(BOB,),
            cause={"kind": "eligibility", "count": 6},
            shared=True,
        ),
        b'{"kind":"membership","customer_id":"%s","homes":[{"home_id":"%s","version":7}],'
        b'"doors":[{"home_id":"%s","version":8}],"from":["%s"],"cause":{"kind":"eligibility","count":6},"shared":true}'
        % (ANN.encode(), HOME.encode(), DOOR.encode(), BOB.encode()),
        decode_resolved,
    ),
    "membership change, erased": Golden(
        MembershipChange(
            customer_id=ANN,
            homes=(HomeVersion(HOME, 9),),
            from_=(BOB,),
            cause={"kind": "control", "control": 5},
            shared=True,
            erased=True,
        ),
        b'{"kind":"membership","customer_id":"%s","homes":[{"home_id":"%s","version":9}],"from":["%s"],'
        b'"cause":{"kind":"control","control":5},"shared":true,"erased":true}'
        % (ANN.encode(), HOME.encode(), BOB.encode()),
        decode_resolved,
    ),
    "merged": Golden(
        Merged(merge_id=HOME, survivor=ANN, absorbed=BOB, cause={"kind": "claim", "event_id": "m-1"}),
        b'{"type":"merged","merge_id":"%s","survivor":"%s","absorbed":"%s","cause":{"kind":"claim","event_id":"m-1"}}'
        % (HOME.encode(), ANN.encode(), BOB.encode()),
        _notice.decode,
    ),
    "split": Golden(
        Split(from_=ANN, to=BOB, homes=(HOME,), cause={"kind": "refold"}),
        b'{"type":"split","from":"%s","to":"%s","homes":["%s"],"cause":{"kind":"refold"}}'
        % (ANN.encode(), BOB.encode(), HOME.encode()),
        _notice.decode,
    ),
    "violation": Golden(
        Violation(customer_id=ANN, guard="values-per-customer", namespaces=("email", "user_id"), message_id="m-1"),
        b'{"type":"violation","customer_id":"%s","guard":"values-per-customer","namespaces":["email","user_id"],'
        b'"message_id":"m-1"}' % ANN.encode(),
        _notice.decode,
    ),
    "claim": Golden(
        Claim(service="identity", lane="live", at=AT, ends={"tern.resolved.v1": {"0": 17, "1": 0}}),
        b'{"service":"identity","lane":"live","at":"2026-03-01T12:00:00.250000Z",'
        b'"ends":{"tern.resolved.v1":{"0":17,"1":0}}}',
        decode_claim,
    ),
    "profile": Golden(
        PublicProfile(
            customer_id=ANN,
            profile_version=3,
            shared=True,
            traits={"plan": Raw(b'"gold"')},
            contacts={
                "email": Contact(value="ann@example.com", trusted=True),
                "phone": Contact(value="+8613800000000"),
            },
            consent={"marketing": {"email": True, "sms": False}},
            first_seen_day="2026-02-01",
            last_seen_day="2026-03-01",
            orders=2,
            order_value=Decimal("19.9000"),
            last_order_at=AT,
        ),
        b'{"customer_id":"%s","profile_version":3,"shared":true,"traits":{"plan":"gold"},'
        b'"contacts":{"email":{"value":"ann@example.com","trusted":true},"phone":{"value":"+8613800000000"}},'
        b'"consent":{"marketing":{"email":true,"sms":false}},"first_seen_day":"2026-02-01",'
        b'"last_seen_day":"2026-03-01","orders":2,"order_value":19.9000,'
        b'"last_order_at":"2026-03-01T12:00:00.250000Z"}' % ANN.encode(),
        decode_profile,
    ),
    "profile, what the arbiter reads": Golden(
        PublicProfile(
            customer_id=ANN,
            profile_version=3,
            contacts={"email": Contact(value="info@example.com", doubtful=True)},
            zone="Europe/Berlin",
            zone_from="context",
            active_hours=(0,) * 8 + (5,) + (0,) * 15,
            preferred_channels=("sms", "email"),
            computed={"views": Computed(value=3, since=AT), "plan": Computed(value="gold", since=AT)},
            classes={"buyer": AT},
        ),
        b'{"customer_id":"%s","profile_version":3,"contacts":{"email":{"value":"info@example.com","doubtful":true}},'
        b'"zone":"Europe/Berlin","zone_from":"context",'
        b'"active_hours":[0,0,0,0,0,0,0,0,5,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],"preferred_channels":["sms","email"],'
        b'"computed":{"views":{"value":3,"since":"2026-03-01T12:00:00.250000Z"},'
        b'"plan":{"value":"gold","since":"2026-03-01T12:00:00.250000Z"}},'
        b'"classes":{"buyer":"2026-03-01T12:00:00.250000Z"}}' % ANN.encode(),
        decode_profile,
    ),
    "profile, absorbed": Golden(
        PublicProfile(customer_id=BOB, profile_version=4, merged_into=ANN),
        b'{"customer_id":"%s","profile_version":4,"merged_into":"%s"}' % (BOB.encode(), ANN.encode()),
        decode_profile,
    ),
}

each = pytest.mark.parametrize("golden", GOLDENS.values(), ids=GOLDENS)


@each
def test_a_model_is_written_as_it_always_was(golden: Golden) -> None:
    assert encode(golden.model) == golden.value


@each
def test_what_was_written_is_read_as_the_same(golden: Golden) -> None:
    assert golden.decode(golden.value) == golden.model


@each
def test_a_field_of_a_later_release_does_not_disturb(golden: Golden) -> None:
    later = golden.value[:-1] + b',"added_later":{"by":["somebody"]}}'
    assert golden.decode(later) == golden.model


def _without(value: bytes, name: str) -> bytes:
    fields: dict[str, Any] = msgspec.json.decode(value)
    del fields[name]
    return msgspec.json.encode(fields)


@pytest.mark.parametrize(
    ("golden", "name"),
    [
        ("event", "message_id"),
        ("event", "event_time"),
        ("resolved event", "home_id"),
        ("resolved event", "kind"),
        ("membership change", "customer_id"),
        ("claim", "ends"),
        ("profile", "profile_version"),
    ],
)
def test_a_field_that_everybody_relies_on_is_required(golden: str, name: str) -> None:
    found = GOLDENS[golden]
    with pytest.raises(Poison):
        found.decode(_without(found.value, name))
