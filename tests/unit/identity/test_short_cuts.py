"""Short cuts on the way of every event: each gives what the long way does, also when it is asked twice."""

from __future__ import annotations

from dataclasses import astuple
from datetime import datetime, timedelta, timezone

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw

from tern_common.events import EMPTY, Event
from tern_common.identifiers import (
    NAMESPACES,
    Declared,
    Identifier,
    Namespaces,
    identifiers_among,
    identifiers_of,
    says_ids_alone,
)
from tern_identity.domain.reading import EPOCH, day_of, reader

OWN = Namespaces({"pos_member": Declared("strong"), "kiosk": Declared("weak")})
MOMENTS = st.integers(-(10**8), 32 * 10**9).map(lambda seconds: EPOCH + timedelta(seconds=seconds))
IDS = st.sampled_from([None, "", "null", " ann ", "ann", "bob", "browser-1", "a\x00b"])
CONTACTS = st.fixed_dictionaries(
    {},
    optional={
        "email": st.sampled_from(["ann1@example.com", "junk", None, 7]),
        "phone": st.sampled_from(["13812345671", 13812345671, [], ""]),
    },
)
CONTEXT = st.fixed_dictionaries(
    {"page": st.just({"path": "/"})},
    optional={
        "traits": CONTACTS,
        "device": st.sampled_from([{"id": "device-1"}, {}, 7, None]),
        "externalIds": st.lists(
            st.sampled_from([{"type": "pos_member", "id": "m-100"}, {"type": "kiosk", "id": "kiosk-1"}, {}, 7]),
            max_size=2,
        ),
    },
)


def raw(part: st.SearchStrategy[object]) -> st.SearchStrategy[Raw]:
    """As JSON that came over the wire; what is there not at all; what is no object."""
    return part.map(lambda said: Raw(msgspec.json.encode(said))) | st.just(EMPTY) | st.just(Raw(b"7"))


EVENTS = st.builds(
    Event,
    message_id=st.sampled_from(["m-1", "m-2"]),
    type=st.sampled_from(["track", "identify", "page", "group", "alias"]),
    event_time=MOMENTS,
    received_at=st.just(EPOCH),
    source_id=st.just("shop"),
    trusted=st.booleans(),
    name=st.sampled_from([None, "Product Viewed", " order completed", "Checkout Started"]),
    user_id=IDS,
    anonymous_id=IDS,
    previous_id=IDS,
    vouched=st.sampled_from([(), ("user_id", "email")]),
    context=raw(CONTEXT),
    traits=raw(CONTACTS),
    properties=raw(CONTACTS),
)


NOBODYS = Event(message_id="m-1", type="page", event_time=EPOCH, received_at=EPOCH, source_id="shop")


@given(st.lists(EVENTS, min_size=1, max_size=5), st.sampled_from([NAMESPACES, OWN]))
@example([NOBODYS], NAMESPACES)
def test_an_event_that_is_read_quickly_says_what_it_says_when_read_plainly(
    events: list[Event], namespaces: Namespaces
) -> None:
    for event in events + events:
        plainly = reader(namespaces).read_plainly(event, (event.event_time - EPOCH).days, ())
        assert astuple(reader(namespaces).read(event)) == astuple(plainly)


def test_an_event_that_says_nobody_is_filed_under_itself_also_where_somebody_of_that_name_was_erased() -> None:
    itself = Identifier("anonymous_id", NOBODYS.message_id)
    assert reader(NAMESPACES).read(NOBODYS).identifiers == (itself,)
    apart = reader(NAMESPACES).read(NOBODYS, [itself])
    assert apart == reader(NAMESPACES).read(NOBODYS, [itself])
    assert (itself in apart.identifiers, len(apart.identifiers)) == (False, 1)


@given(EVENTS, st.sampled_from([NAMESPACES, OWN]))
def test_what_says_ids_alone_has_the_identifiers_of_its_ids(event: Event, namespaces: Namespaces) -> None:
    previous_id = event.previous_id if event.type == "alias" else None
    if says_ids_alone(event):
        assert identifiers_among(event.user_id, event.anonymous_id, previous_id) == identifiers_of(event, namespaces)


@given(MOMENTS, st.integers(-720, 720))
def test_a_day_is_counted_alike_whatever_the_clock_on_the_wall_says(moment: datetime, minutes: int) -> None:
    elsewhere = moment.astimezone(timezone(timedelta(minutes=minutes)))
    assert day_of(moment) == day_of(elsewhere) == (moment - EPOCH).days
