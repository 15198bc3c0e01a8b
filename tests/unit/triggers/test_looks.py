"""When to look at whom, and for whom something is decided at once: for rules of every kind (triggers.md §3, §4.3)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from tern_common.events import Computed
from tern_triggers.domain.agenda import LOOK_NOW, Plan, plan_for, starts
from tern_triggers.domain.facts import Body, Fact, encode_body, precedence
from tern_triggers.domain.folds.cart import Newest
from tern_triggers.domain.moments import AT_ONCE
from tern_triggers.domain.news import Batch, Membership, News, ProfileNews, gather
from tern_triggers.domain.rules import RULE, Count, Rule, ruleset
from tern_triggers.domain.touched import CartKnown, Enough, Known, of_interest, prompted, touched
from tern_triggers.domain.view import Verdicts
from unit.triggers.fast_rules import (
    ABSENT,
    ANSWER,
    BAD_ANSWER,
    BIRTHDAY,
    BROWSE,
    CART,
    CHECKOUT,
    DWELL,
    FIRST,
    INQUIRY,
    OFTEN,
    POLICY,
    RECALL,
    RULES,
    RULESET,
    VIP,
)
from unit.triggers.saying import ANN, HOME, OTHER, START, at, cancel, checkout, event, order, refund, seen_on, snap

BOB = "00000000-0000-7000-8000-00000000000b"
GRACE = 5.0


def viewed(minutes: float = 0, **more: Any) -> Fact:
    return event("Product Viewed", minutes, f"m{minutes}", **{"product_id": "tea", **more})


def answered(score: int, **more: Any) -> Fact:
    return event("Answer Given", 0, "m1", **{"score": score, "ticket_id": "t1", **more})


@pytest.mark.parametrize(
    ("rule", "fact", "minutes"),
    [
        (CART, snap(0, "m1", "tea"), 30),
        (CHECKOUT, checkout(0, "m1"), 20),
        (BROWSE, viewed(), 25),
        (RECALL, order(0, "o1"), 45),
        (RECALL, refund(0, "o1"), 45),
        (FIRST, order(0, "o1"), 40),
        (ABSENT, seen_on(0, "m1"), 50),
        (ABSENT, seen_on(0, "m1", known=False), 50),
        (INQUIRY, event("Inquiry Opened", 0, "m1", ticket_id="t1"), 15),
        (DWELL, viewed(), 0),
        (ANSWER, answered(6), 10),
    ],
)
def test_a_fact_asks_for_a_look_when_the_first_step_could_be_due(rule: Rule, fact: Fact, minutes: float) -> None:
    plan = plan_for(ruleset([rule]), fact, POLICY)
    assert min(one for one in (plan.live, plan.all) if one is not None) == at(minutes + GRACE)
    assert (plan.oldest, plan.newest) == (at(0), at(0))


@pytest.mark.parametrize(
    ("rule", "fact"),
    [
        (CART, checkout(0, "m1")),
        (CHECKOUT, snap(0, "m1", "tea")),
        (BROWSE, event("Product Hidden", 0, "m1")),
        (INQUIRY, event("Inquiry Answered", 0, "m1", ticket_id="t1")),
        (INQUIRY, event("Inquiry Opened", 0, "m1")),
        (ANSWER, answered(7)),
        (ANSWER, event("Answer Withdrawn", 0, "m1", ticket_id="t1")),
        (DWELL, viewed(late=True)),
        (BAD_ANSWER, answered(3)),
        (VIP, snap(0, "m1", "tea")),
        (BIRTHDAY, snap(0, "m1", "tea")),
    ],
)
def test_what_starts_nothing_or_is_decided_at_once_asks_for_none(rule: Rule, fact: Fact) -> None:
    assert plan_for(ruleset([rule]), fact, POLICY) == Plan(None, None, at(0), at(0))


def test_what_came_late_is_not_decided_at_once_but_waited_for_where_history_is_taken_up() -> None:
    enrolling = OFTEN.model_copy(update={"history": "enrol"})
    assert plan_for(ruleset([enrolling]), viewed(late=True), POLICY).live == at(GRACE)
    assert starts(enrolling, viewed(late=True))
    assert not starts(OFTEN, viewed(late=True))


@pytest.mark.parametrize("fact", [refund(0, "o1"), cancel(0, "o1")])
def test_what_takes_a_first_order_back_may_make_another_due_that_is_long_past(fact: Fact) -> None:
    assert plan_for(ruleset([FIRST]), fact, POLICY) == Plan(AT_ONCE, AT_ONCE, at(0), at(0))


def gathered(*facts: Fact, holder: str = ANN, version: int = 1, profile: Verdicts | None = None) -> Batch:
    """A batch of facts, and perhaps of a profile."""
    items = [News((Membership(fact.home_id, holder, version, False),), facts=(fact,)) for fact in facts]
    told = [] if profile is None else [News(profile=ProfileNews(ANN, 1, None, profile))]
    return gather([*items, *told])


def known(**more: Any) -> Known:
    return Known(memberships={HOME: Membership(HOME, ANN, 1, False)}, **more)


@pytest.mark.parametrize(
    ("fact", "asked"),
    [
        (answered(3), {ANN}),
        (answered(3, late=True), {ANN}),
        (answered(4), set()),
        (viewed(), {ANN}),
        (event("Inquiry Opened", 0, "m1", ticket_id="t1"), set()),
        (snap(0, "m1", "tea"), set()),
    ],
)
def test_whoever_has_an_event_that_an_at_once_step_counts_is_decided_for_at_once(fact: Fact, asked: set[str]) -> None:
    assert set(prompted(RULESET, gathered(fact), known())) == asked
    assert prompted(ruleset([CART, ANSWER]), gathered(fact), known()) == {}


@pytest.mark.parametrize(
    ("changed", "least", "hours"),
    [
        ({"at_least": 7}, 7, 0),
        ({"at_least": 7, "of": {"event": ["Product Viewed", "Product Shared"]}}, 4, 0),
        ({"at_least": 7, "sum": "seconds"}, 0, 0),
        ({"at_least": 7, "days": "running", "within": "9d"}, 7, 100),
        ({"at_least": 7, "days": "running", "within": "9d", "of": {"event": ["Product Viewed", "Other"]}}, 4, 0),
    ],
)
def test_it_is_said_what_there_has_to_be_of_a_name_for_that(changed: dict[str, Any], least: int, hours: int) -> None:
    """Of several names one has its share of the events, where all together are enough."""
    rule = RULE.validate_python({**OFTEN.model_dump(mode="json", exclude_none=True), **changed})
    assert isinstance(rule, Count)
    expected = {Enough(name, b'"tea"', least, timedelta(hours=hours)) for name in rule.of.keys}
    assert prompted(ruleset([rule]), gathered(viewed()), known()) == {ANN: expected}


SAME = [
    ("7", 7),
    (7, 7.0),
    (4821.5, "4821.5"),
    ("tea", "tea"),
    ("Tee \u20ac", "Tee \u20ac"),
    (10**15, 1e15),
    (1e22, 10**22),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_events_of_one_key_show_it_alike_however_it_is_written(one: Any, other: Any) -> None:
    facts = [event("Product Viewed", 0, "m1", product_id=said) for said in (one, other)]
    asked = [prompted(ruleset([OFTEN]), gathered(fact), known()) for fact in facts]
    assert asked[0] == asked[1]
    (wanted,) = asked[0][ANN]
    assert all(wanted.part in encode_body(fact.body) for fact in facts)


def test_an_event_about_nothing_completes_nothing() -> None:
    assert prompted(ruleset([OFTEN]), gathered(event("Product Viewed", 0, "m1")), known()) == {}


def test_a_merge_may_complete_a_count() -> None:
    batch = gather([News((Membership(HOME, BOB, 2, False),))])
    assert prompted(ruleset([OFTEN]), batch, known()).keys() == {BOB}
    assert prompted(ruleset([BAD_ANSWER]), batch, known()) == {}


def test_for_an_erased_home_nothing_is_decided() -> None:
    gone = Known(memberships={HOME: Membership(HOME, None, 2, False)})
    assert prompted(RULESET, gathered(answered(3)), gone) == {}
    erased = gather([News((Membership(HOME, None, 2, False),))])
    assert prompted(RULESET, erased, known()) == {}


BORN = Verdicts(traits={"birthday": "1990-05-20", "name": "Ann"})
UP = Verdicts(classes={"vip": START, "regular": START})


@pytest.mark.parametrize(
    ("before", "after", "looked"),
    [
        (None, BORN, True),
        (BORN, BORN, False),
        (BORN, replace(BORN, traits={"birthday": "1990-05-20", "name": "Anna"}), False),
        (BORN, replace(BORN, traits={}), True),
        (BORN, replace(BORN, zone="Asia/Tokyo"), True),
        (BORN, replace(BORN, computed={"worth": Computed(value=3, since=START)}, orders=7), False),
        (Verdicts(), Verdicts(zone=POLICY.arbiter.zone), False),
        (None, Verdicts(), False),
        (None, UP, True),
        (UP, replace(UP, classes={"vip": START}), False),
        (UP, replace(UP, classes={"vip": at(1)}), True),
        (UP, Verdicts(), True),
    ],
)
def test_of_a_profile_only_dates_their_zone_and_classes_ask_for_a_look(
    before: Verdicts | None, after: Verdicts, looked: bool
) -> None:
    kept = known(profiles={} if before is None else {ANN: before})
    plans = touched(RULESET, gathered(profile=after), kept, POLICY)
    assert plans == ({ANN: LOOK_NOW} if looked else {})
    assert touched(ruleset([CART, OFTEN]), gathered(profile=after), kept, POLICY) == {}


RUNNING = OFTEN.model_copy(update={"days": "running"})


def test_where_days_are_counted_another_zone_asks_for_a_look_since_it_may_make_up_a_day() -> None:
    tokyo = gathered(profile=Verdicts(zone="Asia/Tokyo"))
    rules = ruleset([RUNNING])
    assert of_interest(rules, tokyo, known()) == {ANN}
    assert touched(rules, tokyo, known(), POLICY) == {ANN: LOOK_NOW}
    assert touched(rules, tokyo, known(profiles={ANN: Verdicts(zone="Asia/Tokyo")}), POLICY) == {}
    assert touched(rules, gathered(profile=Verdicts(zone=POLICY.arbiter.zone)), known(), POLICY) == {}
    assert touched(ruleset([OFTEN]), tokyo, known(), POLICY) == {}


def test_a_date_that_was_there_before_the_first_home_is_looked_at_with_it() -> None:
    nobody = Known(memberships={}, profiles={ANN: BORN})
    arrived = gathered(viewed())
    assert of_interest(RULESET, arrived, nobody) == {ANN}
    assert touched(RULESET, arrived, nobody, POLICY)[ANN].live == AT_ONCE
    again = gathered(viewed(), profile=BORN)
    assert touched(ruleset([BIRTHDAY]), again, nobody, POLICY)[ANN].live == AT_ONCE
    assert touched(RULESET, arrived, known(profiles={ANN: BORN}), POLICY)[ANN].live != AT_ONCE
    assert of_interest(RULESET, arrived, known()) == set()
    assert of_interest(ruleset([CART]), arrived, nobody) == set()


def test_an_erased_home_brings_nobody() -> None:
    erased = gather([News((Membership(HOME, None, 2, False),))])
    assert of_interest(RULESET, erased, Known(memberships={})) == set()


def test_maxima_over_carts_are_taken_over_all_copies_so_that_batches_cannot_matter() -> None:
    """Else a batch that has both copies would forget one, whose time another run has seen."""
    first, later = snap(10, "m1", "tea"), snap(14, "m1", "tea")
    bought, copy = order(20, "o1", cart="c"), order(25, "o1", cart="c")
    for items in ([first, later, bought, copy], [copy, later, first, bought]):
        batch = gathered(*items)
        assert batch.facts == {first.name: first, bought.name: bought}
        assert batch.newest["c"] == Newest(at(14), "m1", HOME)
        assert max(batch.ordered["c"]).at == at(25)
    assert list(gathered(first, first).statements) == [first]


def test_of_copies_of_one_time_the_least_by_what_they_say_stays_in_any_order() -> None:
    tea, pot = snap(10, "m1", "tea"), snap(10, "m1", "pot")
    least = min(tea, pot, key=precedence)
    assert gathered(tea, pot).facts == gathered(pot, tea).facts == {least.name: least}


def test_copies_of_what_names_no_cart_are_not_kept() -> None:
    seen = Fact(HOME, "seen", "2026-03-02", "", at(10), False, Body(first="m1"))
    later = replace(seen, at=at(20), body=Body(first="m2"))
    for items in ([seen, later], [later, seen]):
        assert list(gathered(*items).statements) == [seen]


def test_a_copy_that_names_another_cart_concerns_whoever_holds_that() -> None:
    bought = order(20, "o1", cart="c")
    copy = replace(bought, at=at(25), body=replace(bought.body, cart_id="d"))
    theirs = Known(
        memberships={OTHER: Membership(OTHER, BOB, 1, False)},
        carts={"d": CartKnown(Newest(at(0), "m0", OTHER), None)},
    )
    batch = gathered(bought, copy)
    assert batch.cart_ids == ["c", "d"]
    assert touched(ruleset([CART]), batch, theirs, POLICY).keys() == {ANN, BOB}


def test_all_rules_together_are_planned_for_by_the_soonest() -> None:
    assert plan_for(RULESET, viewed(), POLICY).live == at(GRACE)
    assert {rule.kind for rule in RULES} == {"inactivity", "count", "event", "date", "change"}
