"""Each deliberately broken variant of the pure code is caught by random shops (triggers.md §11.13).

A variant is tried with the rules that it concerns, until a shop tells it from the oracle.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from tern_triggers.domain import agenda, candidates, facts, news, rounds, story, touched
from tern_triggers.domain.agenda import Plan
from tern_triggers.domain.facts import Fact
from tern_triggers.domain.folds import (
    carts,
    checkout,
    classes,
    counting,
    dates,
    first_order,
    happening,
    telling,
    waiting,
)
from tern_triggers.domain.moments import NEVER, round_up
from tern_triggers.domain.rules import Rule
from unit.triggers.chaos import Scenario
from unit.triggers.comparing import check
from unit.triggers.fast_rules import (
    ABSENT,
    ANSWER,
    BAD_ANSWER,
    BIRTHDAY,
    BROWSE,
    CART,
    CHECKOUT,
    DAYS,
    DWELL,
    FIRST,
    INQUIRY,
    OFTEN,
    RECALL,
    VIEWS,
    VIP,
)

pytestmark = pytest.mark.teeth

SHOPS = range(120)


def late_plan(rules: Any, fact: Fact, policy: Any) -> Plan:
    plan = PLAN_FOR(rules, fact, policy)
    return plan._replace(live=plan.live and plan.live + policy.slot, all=plan.all and plan.all + policy.slot)


def any_activity(rule: Any, told: Any) -> Any:
    return [moment for moment in told.activity if moment.at > told.gone_until]


def reach_is_at(told: Any) -> Any:
    return max((end.at for end in told.exits), default=NEVER)


def decided_anywhere(rule: Any, told: Any, decisions: Any) -> Any:
    return [one for one in decisions if (one.rule, one.key) == (rule.rule, told.key) and one.outcome != "ended"]


def notes_decide(rule: Any, told: Any, decisions: Any) -> Any:
    return [one for one in decisions if (one.rule, one.key, one.about) == (rule.rule, told.key, told.about)]


def last_copy(known: dict[Any, Fact], fact: Fact, copies: Any) -> None:
    known[fact.name] = fact


def without_exits(rule: Any, *args: Any) -> Any:
    return [replace(one, exits=()) for one in WAITING(rule, *args)]


def resets_begin(rule: Any, *args: Any) -> Any:
    return [
        replace(one, activity=tuple(sorted((*one.activity, *one.resets))), speaks=True) for one in WAITING(rule, *args)
    ]


def change_ends_at_once(carts_: Any, anchors: Any, settle: Any) -> Any:
    """The change that shares an instant with a checkout ends it."""
    return [
        replace(one, exits=tuple(end._replace(reach=max(end.at, end.reach)) for end in one.exits))
        for one in CHECKOUTS(carts_, anchors, settle)
    ]


def own_refund_only(order: Any, taken_back: Any, kept: Any) -> Any:
    return replace(FIRST_STORY(order, taken_back, kept), exits=())


def wide_window(rule: Any, *args: Any) -> Any:
    return COMPLETED(rule.model_copy(update={"within": rule.within + timedelta(minutes=20)}), *args)


def whole_history(rule: Any, found: Any, ended: Any, zone: Any) -> Any:
    return COMPLETED(rule, found, [], zone)


def utc_days(rule: Any, found: Any, ended: Any, zone: Any) -> Any:
    return COMPLETED(rule, found, ended, ZoneInfo("UTC"))


def any_birthday(rule: Any, seen: Any, policy: Any, now: Any) -> Any:
    return [replace(one, about="") for one in DATES(rule, seen, policy, now)]


def present_only(rule: Any, seen: Any, policy: Any, now: Any) -> Any:
    return [one for one in DATES(rule, seen, policy, now) if one.activity[0].at <= now]


def no_stay(since: Any, taken: Any) -> str:
    return str(since.isoformat())


def nothing(*_: Any) -> Any:
    return []


def nobody(*_: Any) -> Any:
    return set()


def no_grace(candidate: Any, policy: Any, *_: Any) -> Any:
    return round_up(candidate.due, policy.slot)


PLAN_FOR, WAITING = agenda.plan_for, waiting.waiting_stories
CHECKOUTS, FIRST_STORY, COMPLETED, DATES = (
    checkout.checkout_stories,
    first_order._story,
    counting.completed,
    dates.date_stories,
)

MUTANTS: dict[str, tuple[list[Rule], Any, str, Any]] = {
    "plans a slot late": ([CART], touched, "plan_for", late_plan),
    "forgets moves": ([CART], touched, "moved", nobody),
    "forgets who speaks": ([CART], touched, "_speaker", lambda *_: None),
    "ignores what profiles count from": ([VIP, BIRTHDAY], touched, "_counted_from", nobody),
    "decides nothing at once": ([BAD_ANSWER, OFTEN], touched, "prompted", nobody),
    "never looks at old facts again": ([DWELL, VIEWS, INQUIRY], agenda, "LOOK_NOW", Plan()),
    "plans for known visitors only": ([ABSENT], agenda, "starts", lambda _, fact: fact.body.known),
    "takes refunds for harmless": ([FIRST], agenda, "_UNDOING", frozenset()),
    "lets late events start": ([CART], candidates, "_open_activity", any_activity),
    "lets notes decide": ([CART], candidates, "taken_in_cycle", notes_decide),
    "remembers steps for ever": ([CART, INQUIRY], candidates, "taken_in_cycle", decided_anywhere),
    "never holds a cart back": ([CART], candidates, "max_hold", lambda _: timedelta(days=9)),
    "lets resets pass": ([INQUIRY], candidates, "_last_put_off", lambda _rule, _told, _start, last: last),
    "takes the echo for news": ([CART], story.Story, "gone_until", property(reach_is_at)),
    "keeps any copy": ([CART], news, "_keep_least", last_copy),
    "joins days of homes": ([ABSENT], facts, "distinct", lambda found: list({f.name[1:]: f for f in found}.values())),
    "speaks to whoever held the cart": ([CART], carts, "_held", lambda *_: True),
    "asks for the cart's name only": ([CART], carts, "_first_seen", lambda *_: {}),
    "lets a change end the checkout of its instant": ([CHECKOUT], telling, "checkout_stories", change_ends_at_once),
    "lets any checkout begin": ([CHECKOUT], checkout, "_of_something", lambda told: list(told.checkouts)),
    "waits for whoever nobody knows": ([ABSENT], telling, "presence_stories", nobody),
    "ends no inquiry": ([INQUIRY], telling, "waiting_stories", without_exits),
    "begins with an answer": ([INQUIRY], telling, "waiting_stories", resets_begin),
    "takes the second order for a first": ([FIRST], first_order, "_story", own_refund_only),
    "counts in a longer window": ([VIEWS], counting, "completed", wide_window),
    "counts what an exit took back": ([VIEWS], counting, "completed", whole_history),
    "counts days of UTC": ([DAYS], counting, "completed", utc_days),
    "adds up what is less than nothing": ([DWELL], counting, "amount", lambda raw: raw and -abs(raw)),
    "speaks of every count": ([VIEWS], counting._Counting, "_near", lambda *_: False),
    "lets no exit end an event": ([ANSWER], happening, "first_exit", lambda *_: ()),
    "knows a birthday by no year": ([BIRTHDAY], telling, "date_stories", any_birthday),
    "sees no birthday ahead": ([BIRTHDAY], telling, "date_stories", present_only),
    "takes an earlier since for another stay": ([VIP], classes, "_about", no_stay),
    "waits no grace": ([RECALL], rounds, "ready_at", no_grace),
    "decides in the present round": ([VIP], rounds, "round_of", lambda _ready, safe, _policy: safe),
}


def told_apart(rules: list[Rule]) -> bool:
    """Whether the service as it is now and the oracle differ on any shop."""
    try:
        for seed in SHOPS:
            check(Scenario(seed, rules))
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_variant_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rules, where, what, broken = MUTANTS[name]
    monkeypatch.setattr(where, what, broken)
    assert told_apart(rules)


def test_what_is_not_broken_is_not_told_apart() -> None:
    assert not told_apart([BROWSE, CART])
