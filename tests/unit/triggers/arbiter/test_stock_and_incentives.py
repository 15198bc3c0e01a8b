"""Stock is held before a reminder speaks of it, and offers are made to whom they are not wasted on (triggers.md)."""

from __future__ import annotations

from typing import Literal

import pytest
from msgspec.structs import replace

from tern_triggers.domain.decisions import Decision, Outcome, Why
from tern_triggers.domain.rounds import Decided, after, next_looks, standing
from tern_triggers.domain.rules import ruleset
from tern_triggers.domain.story import Story
from tern_triggers.domain.view import Hold, View
from unit.triggers.arbiter.cases import (
    CART,
    FIRED,
    NO_CAPS,
    OF_CARTS,
    POLICY,
    READY,
    ann,
    before,
    deferred,
    judged,
    look,
    rule,
    says,
    story,
    suppressed,
)
from unit.triggers.saying import DAY, OTHER, at

HELD = rule(**OF_CARTS, steps=[{"hold": True}])
TOLD = {"nudge": [story(shown=CART)]}


def ask(view: View | None = None) -> Decided:
    return look([HELD], TOLD, view or ann())


def answered(status: Literal["requested", "confirmed", "partial", "rejected", "released"]) -> View:
    found = ask()
    (waiting,) = found.deferrals
    return replace(after(ann(), found), holds={waiting.trigger_id: Hold("h", waiting.trigger_id, status, None)})


def test_the_shop_is_asked_once_everything_before_has_passed() -> None:
    found = ask()
    assert judged(HELD, ann(), of=TOLD["nudge"][0]) == deferred(Why.STOCK, READY + 0.5)
    (asked,), (waiting,) = found.asks, found.deferrals
    assert asked.trigger_id == waiting.trigger_id
    assert judged(HELD, ann(profile=says(consent={})), of=TOLD["nudge"][0]) == suppressed(Why.NO_CONSENT)
    assert ask(ann(profile=says(consent={}))).asks == []


@pytest.mark.parametrize("status", ["confirmed", "partial", "rejected", "released"])
def test_an_answer_ends_the_wait_and_everything_is_checked_again(
    status: Literal["confirmed", "partial", "rejected", "released"],
) -> None:
    view = answered(status)
    assert next_looks(standing(ruleset([HELD]), TOLD, view), POLICY).live == at(READY)
    (ruling,) = look([HELD], TOLD, view, READY + 0.1).rulings
    assert (ruling.decision.outcome, ruling.decision.round) == (Outcome.FIRED, at(READY))
    refused = replace(view, profile=says(consent={}))
    (ruling,) = look([HELD], TOLD, refused, READY + 0.1).rulings
    assert ruling.decision.reason is Why.NO_CONSENT


def test_no_answer_in_30_seconds_and_the_plain_reminder_goes() -> None:
    view = answered("requested")
    found = look([HELD], TOLD, view, READY + 0.9)
    assert found == Decided(left=found.left)
    (ruling,) = look([HELD], TOLD, view, READY + 1).rulings
    assert ruling.decision.outcome is Outcome.FIRED


def test_without_a_word_of_the_request_itself_the_plain_reminder_goes_too() -> None:
    view = after(ann(), ask())
    (ruling,) = look([HELD], TOLD, view, READY + 1).rulings
    assert ruling.decision.outcome is Outcome.FIRED


def test_nobody_is_asked_twice() -> None:
    (waiting,) = ask().deferrals
    capped = waiting._replace(why=Why.CAPPED)
    hold = Hold("h", waiting.trigger_id, "confirmed", None)
    seen = ann(deferrals={waiting.trigger_id: capped}, holds={waiting.trigger_id: hold})
    found = look([HELD], TOLD, seen, READY + 1)
    assert (found.asks, [one.decision.outcome for one in found.rulings]) == ([], [Outcome.FIRED])


def test_an_answer_does_not_shorten_another_wait() -> None:
    (waiting,) = ask().deferrals
    night = waiting._replace(why=Why.QUIET, until=at(READY + 60))
    hold = Hold("h", waiting.trigger_id, "confirmed", None)
    seen = ann(deferrals={waiting.trigger_id: night}, holds={waiting.trigger_id: hold})
    found = look([HELD], TOLD, seen, READY + 1)
    assert found == Decided(left=found.left)


def test_a_shadow_asks_for_nothing() -> None:
    shadow = HELD.model_copy(update={"mode": "shadow"})
    assert judged(shadow, ann(), of=TOLD["nudge"][0]) == FIRED


def test_nothing_is_asked_of_what_is_no_cart_or_would_expire_before_the_answer() -> None:
    assert judged(HELD, ann(), of=story()) == FIRED
    assert judged(HELD, ann(), 25 * 60, of=TOLD["nudge"][0]) == FIRED


def test_steps_that_do_not_ask_for_it_hold_nothing() -> None:
    assert judged(rule(**OF_CARTS), ann(), of=TOLD["nudge"][0]) == FIRED


OFFER = rule(family="cart", steps=[{}, {"after": "2h", "incentive": True}])
PLAIN = before(READY, key="k", name="nudge", anchor=at(0), cycle_ref="began-k", expires=at(DAY))


def offered(*decisions: Decision, plain: Decision | None = PLAIN) -> bool:
    first = () if plain is None else (plain,)
    (ruling,) = look([OFFER, rule("sibling", family="cart")], told(), ann(*first, *decisions), 125, by=NO_CAPS).rulings
    assert (ruling.decision.facts.get("incentive") is True) is ruling.incentive
    assert (ruling.decision.outcome, ruling.decision.step) == (Outcome.FIRED, 1 if plain else 0)
    return ruling.incentive


def told() -> dict[str, list[Story]]:
    return {"nudge": [story()], "sibling": []}


def test_an_offer_is_made_only_after_the_plain_step_failed() -> None:
    assert offered()
    assert not offered(plain=replace(PLAIN, released_at=at(70)))
    assert not offered(plain=replace(PLAIN, outcome=Outcome.SUPPRESSED, reason=Why.CAPPED))
    assert not offered(plain=replace(PLAIN, outcome=Outcome.WITHDRAWN))
    assert not offered(plain=replace(PLAIN, act="task"))


def test_a_step_without_an_offer_makes_none() -> None:
    (ruling,) = look([OFFER], {"nudge": [story()]}, ann()).rulings
    assert not ruling.incentive


def test_an_offer_that_went_before_is_no_plain_step() -> None:
    more = rule(steps=[{}, {"after": "90m", "incentive": True}, {"after": "2h", "incentive": True}])
    silent = replace(PLAIN, outcome=Outcome.SUPPRESSED, reason=Why.CAPPED)
    offer = replace(PLAIN, step=1, round=at(95))
    (ruling,) = look([more], {"nudge": [story()]}, ann(silent, offer), 125, by=NO_CAPS).rulings
    assert (ruling.decision.step, ruling.incentive) == (2, False)


def test_a_customer_has_a_budget_of_offers() -> None:
    given = [before(-days * DAY, key=f"o{days}", facts={"incentive": True}) for days in (10, 20)]
    assert offered(*given[:1])
    assert not offered(*given)
    assert offered(given[0], replace(given[1], released_at=at(0)))
    assert offered(given[0], replace(given[1], home_id=OTHER))
    assert offered(given[0], replace(given[1], mode="shadow"))
    assert offered(given[0], replace(given[1], round=at(125 - 90 * DAY)))
    assert not offered(given[0], replace(given[1], round=at(126 - 90 * DAY)))


def test_serial_abandoners_are_made_none() -> None:
    others = [before(-days * DAY, key=f"c{days}", name="sibling") for days in (10, 20, 30)]
    assert offered(*others[:2])
    assert not offered(*others)
    assert offered(*others[:2], replace(others[2], rule="unrelated"))
    assert offered(*others[:2], replace(others[2], round=at(-100 * DAY)))
    assert offered(*others[:2], replace(others[2], outcome=Outcome.HELD_OUT))


def test_the_steps_of_one_cycle_are_one_abandonment() -> None:
    cycle = [before(-minute, key="c1", name="sibling", step=minute, cycle_ref="one") for minute in range(5)]
    assert offered(*cycle)
