"""What an event says that rules read, by name, by day and by what it is about (architecture: facts are a set)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from tern_common.events import Event
from tern_triggers.domain.decisions import Outcome
from tern_triggers.domain.endings import Revocation, erased
from tern_triggers.domain.facts import TEXT_LIMIT, Fact, facts_of
from tern_triggers.domain.folds.matching import key_in, text_of
from tern_triggers.domain.rules import Reads, reads
from tern_triggers.domain.story import Gone
from unit.triggers.fast_rules import ABSENT, BROWSE, INQUIRY, OFTEN
from unit.triggers.saying import CART, HOME, START, at, event, fired, snap, view


def said(name: str, properties: Any, wanted: Reads, *, user: str | None = None, minutes: float = 0) -> list[Fact]:
    """The facts of an event."""
    happened = Event(
        message_id="m1",
        type="track",
        name=name,
        event_time=at(minutes),
        received_at=at(minutes),
        source_id="s",
        mode="live",
        user_id=user,
        properties=msgspec.Raw(msgspec.json.encode(properties)),
    )
    return list(facts_of(happened, HOME, wanted))


def test_an_event_keeps_the_properties_that_rules_read_of_its_name_and_no_others() -> None:
    properties = {"product_id": " tea ", "category": "drinks", "email": "ann@shop.example", "price": 3}
    (fact,) = said(" product VIEWED", properties, reads([OFTEN]))
    assert (fact.kind, fact.key, fact.body.said) == (
        "event",
        "product viewed",
        {"product_id": "tea", "category": "drinks"},
    )
    assert said("Product Hidden", properties, reads([OFTEN])) == []


def test_long_texts_are_cut_and_what_is_no_scalar_is_left_out() -> None:
    (fact,) = said("Product Viewed", {"product_id": "x" * 999, "category": ["a"]}, reads([OFTEN]))
    assert fact.body.said == {"product_id": "x" * TEXT_LIMIT}
    assert said("Product Viewed", "no object", reads([OFTEN]))[0].body.said == {}


def test_a_path_leads_into_what_is_nested() -> None:
    wanted = Reads(frozenset(), {"answer given": frozenset({"survey.score", "survey.score.deep"})})
    (fact,) = said("Answer Given", {"survey": {"score": 3}}, wanted)
    assert fact.body.said == {"survey.score": 3}


def test_one_event_may_say_several_facts() -> None:
    facts = said("Product Added", {"product_id": "tea"}, reads([CART, ABSENT, BROWSE]))
    assert sorted(fact.kind for fact in facts) == ["cart", "seen"]


def test_a_day_on_which_somebody_was_seen_is_one_fact_of_its_first_event() -> None:
    first = said("Signed In", {}, reads([ABSENT]), user="u1")
    later = said("Page Viewed", {}, reads([ABSENT]), minutes=60)
    assert first[0].name == later[0].name == (HOME, "seen", "2026-03-02", "")
    assert (first[0].body.first, first[0].body.known, later[0].body.known) == ("m1", True, False)


def test_days_are_those_of_utc() -> None:
    (fact,) = said("Page Viewed", {}, reads([ABSENT]), minutes=12 * 60 - 1)
    assert (fact.key, fact.at) == ("2026-03-02", datetime(2026, 3, 2, 23, 59, tzinfo=UTC))


@pytest.mark.parametrize(
    ("written", "key"),
    [
        *[("t1", "t1"), (7, "7"), (7.0, "7"), (7.5, "7.5"), (100, "100"), (True, None), ("", None), (None, None)],
        (10**40 + 1, f"1{'0' * 39}1"),
    ],
)
def test_names_are_texts_as_people_write_them(written: Any, key: str | None) -> None:
    assert text_of(written) == key


@pytest.mark.parametrize("endless", [10**4000, 1e300, -(10**TEXT_LIMIT)], ids=["whole", "float", "below zero"])
def test_a_number_of_thousands_of_digits_names_nothing(endless: float) -> None:
    """No index takes it: whoever was looked at because of it would stop the service."""
    (fact,) = said("Inquiry Opened", {"ticket_id": endless}, reads([INQUIRY]))
    assert fact.body.said["ticket_id"] == endless
    assert key_in("ticket_id", fact) is None


def test_words_that_stand_for_nothing_are_no_key() -> None:
    assert key_in("ticket_id", event("Inquiry Opened", 0, "m1", ticket_id="undefined")) is None
    assert key_in("ticket_id", event("Inquiry Opened", 0, "m1", ticket_id="t1")) == "t1"
    assert key_in(None, event("Inquiry Opened", 0, "m1")) == ""
    assert INQUIRY.kind == "inactivity"


def test_whoever_was_told_of_an_erased_home_is_told_to_do_no_more() -> None:
    (done,) = fired(view(snap(0, "m1", "tea")), 65, [CART])
    assert done.outcome is Outcome.FIRED
    (ending,) = erased([done], START)
    assert (ending.revocation, ending.exit.why, ending.exit.at) == (Revocation.CANCELLED, Gone.ERASED, START)
