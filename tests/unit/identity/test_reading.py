"""What one event says: one test for each sentence of identity.md §2."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
from msgspec import Raw

from tern_common.events import Event
from tern_common.identifiers import NAMESPACES, Identifier, normalise
from tern_identity.domain.collapsing import Heard, collapse
from tern_identity.domain.reading import FOREVER, Claim, Filing, Reading, day_of, door, read
from unit.identity.histories import START, Said, event, hear, heard

X = Identifier("user_id", "user-1")
PHONE = Identifier("phone", "+8613812345671")
EMAIL = Identifier("email", "ann1@example.com")
A = Identifier("anonymous_id", "browser-1")
TODAY = day_of(START)


def say(**said: Any) -> Reading:
    return read(event(Said(1, 0, **said)), NAMESPACES)


def test_a_trusted_event_pairs_its_strongest_identifier_with_each_other_strong_one() -> None:
    assert say(user=1, phone=1, email=1, browser=1).pairs == ((X, PHONE), (X, EMAIL))
    assert say(phone=1, email=1).pairs == ((PHONE, EMAIL),)
    assert say(phone=1).pairs == ()


def test_an_untrusted_event_pairs_nothing() -> None:
    assert say(user=1, phone=1, email=1, browser=1, trusted=False).pairs == ()


def test_a_login_claims_the_browser_from_any_source() -> None:
    assert say(user=1, phone=1, browser=1).claims == (Claim(A, X, 1),)
    assert say(user=1, phone=1, browser=1, trusted=False).claims == (Claim(A, X, 1),)


def test_a_contact_claims_the_browser_on_a_trusted_event_only() -> None:
    assert say(phone=1, email=1, browser=1).claims == (Claim(A, PHONE, 2),)
    assert say(phone=1, email=1, browser=1, trusted=False).claims == ()


def test_weak_identifiers_are_never_paired() -> None:
    both = Event(
        message_id="m-1",
        type="alias",
        event_time=START,
        received_at=START,
        source_id="shop",
        trusted=True,
        anonymous_id="browser-1",
        previous_id="browser-2",
    )
    said = read(both, NAMESPACES)
    assert (said.pairs, said.claims) == ((), ())
    assert said.home == Filing((A, Identifier("anonymous_id", "browser-2")), TODAY)


def test_an_event_with_a_unique_identifier_is_filed_under_it_alone_and_for_ever() -> None:
    assert say(user=1, phone=1, browser=1).home == Filing((X,), FOREVER)
    assert say(user=1, phone=1, browser=1, trusted=False).home == Filing((X,), FOREVER)


def test_a_trusted_event_is_filed_under_all_its_contacts_by_day() -> None:
    assert say(phone=1, email=1, browser=1).home == Filing((PHONE, EMAIL), TODAY)


def test_a_typed_contact_never_receives_the_event() -> None:
    assert say(phone=1, email=1, browser=1, trusted=False).home == Filing((A,), TODAY)


def test_an_event_with_nothing_to_file_it_under_is_filed_under_its_own_message() -> None:
    own = Identifier("anonymous_id", "m-1")
    assert say().home == Filing((own,), TODAY)
    assert say(email=1, trusted=False).home == Filing((own,), TODAY)
    assert say(email=1, trusted=False).claims == ()
    assert say(email=1).home == Filing((EMAIL,), TODAY)


def test_only_what_is_vouched_for_counts_as_trusted() -> None:
    traits = Raw(msgspec.json.encode({"phone": "13812345671", "email": EMAIL.value}))
    vouched = Event(
        message_id="m-1",
        type="identify",
        event_time=START,
        received_at=START,
        source_id="browser",
        user_id="user-1",
        anonymous_id="browser-1",
        traits=traits,
        vouched=("user_id", "email"),
    )
    assert read(vouched, NAMESPACES).pairs == ((X, EMAIL),)


def test_days_are_utc_days() -> None:
    late = datetime(2026, 3, 2, 7, 59, tzinfo=timezone(timedelta(hours=8)))
    assert day_of(late) == day_of(datetime(2026, 3, 1, tzinfo=UTC))
    assert day_of(datetime(1969, 12, 31, 23, 59, tzinfo=UTC)) == -1


def test_a_door_is_a_home_that_no_day_matters_to() -> None:
    assert door(X) == Filing((X,), FOREVER)


def test_a_batch_keeps_the_first_saying_of_each_fact() -> None:
    facts = collapse(heard([Said(2, 3, user=1, phone=1), Said(1, 1, user=1, phone=1), Said(3, 1, user=1, phone=1)]))
    said = facts.pairs[X, PHONE, TODAY, "shop"]
    assert said == (START + timedelta(hours=1), "m-1", 0)


def test_a_fact_that_two_readings_share_takes_the_minimum() -> None:
    later = [Said(1, 2, user=1, phone=1, email=1), Said(2, 1, user=1, email=1)]
    facts = collapse(heard(later))
    assert facts.pairs[X, EMAIL, TODAY, "shop"].event_id == "m-2"
    assert collapse(heard(reversed(later))).pairs == facts.pairs


def test_every_identifier_has_a_door_and_a_unique_ones_is_its_ordinary_home() -> None:
    facts = collapse([hear(Said(1, 0, user=1, email=1, browser=1))])
    assert facts.homes == {door(X): False, door(EMAIL): True, door(A): True}


def test_facts_are_kept_for_each_source() -> None:
    facts = collapse(Heard(say(user=1, phone=1, browser=1), START, "m-1", source) for source in ("till", "shop"))
    assert {key[-1] for key in facts.pairs} == {key[-1] for key in facts.claims} == {"till", "shop"}


def test_an_erased_identifier_is_on_no_event_any_more() -> None:
    without = read(event(Said(1, 0, user=1, phone=1, browser=1)), NAMESPACES, without={X})
    assert without.identifiers == (PHONE, A)
    assert without.home == Filing((PHONE,), TODAY)


def test_an_event_whose_own_message_id_was_erased_is_filed_under_a_name_that_nobody_can_state() -> None:
    """Anybody may send a message id that is an erased cookie: the partition must not stop for it."""
    own = Identifier("anonymous_id", "m-1")
    said = read(event(Said(1, 0)), NAMESPACES, without=[own])
    [name] = said.home.identifiers
    assert name != own
    assert normalise(*name).quality == "invalid"
    assert read(event(Said(1, 0)), NAMESPACES).home.identifiers == (own,)
