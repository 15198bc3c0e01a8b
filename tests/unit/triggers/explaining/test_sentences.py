"""Every code of the contract has its words."""

from __future__ import annotations

import pytest

from tern_triggers.domain import sentences
from tern_triggers.domain.decisions import Outcome, Why
from tern_triggers.domain.story import Gone
from unit.triggers.saying import at


@pytest.mark.parametrize("code", [*Why, *Gone])
def test_every_reason_has_a_meaning_that_ends_a_sentence(code: Why | Gone) -> None:
    meaning = sentences.meaning(code)
    assert meaning
    assert not meaning.endswith(".")
    assert meaning[0].islower()


def test_every_outcome_has_a_sentence() -> None:
    assert set(sentences.OUTCOMES) == set(Outcome)
    assert all(sentence.endswith(".") for sentence in sentences.OUTCOMES.values())


def test_no_reason_of_one_kind_has_the_code_of_another() -> None:
    assert not {code.value for code in Why} & {code.value for code in Gone}


def test_people_count_steps_from_one_and_a_single_step_is_it() -> None:
    assert (sentences.step_of(0, 3), sentences.step_of(0, 1)) == ("Step 1 of 3", "It")


def test_a_heading_names_what_it_is_about_and_that_it_is_only_a_shadow() -> None:
    assert sentences.heading("cart_abandoned", "", "live") == "cart_abandoned:"
    assert sentences.heading("cart_abandoned", "c", "shadow").startswith("cart_abandoned about c (in shadow")


@pytest.mark.parametrize(
    ("outcome", "reason", "channels", "said"),
    [
        (Outcome.FIRED, None, ("sms", "email"), "As things stand it will fire by sms, else email, unless"),
        (Outcome.FIRED, None, (), "As things stand it will fire."),
        (Outcome.HELD_OUT, None, (), "As things stand it will not be published"),
        (Outcome.SUPPRESSED, Why.EXPIRED, (), "As things stand it will not be taken: the step had expired"),
        (
            None,
            Why.CAPPED,
            (),
            "As things stand it will be put off until 2026-03-02 13:00:00 UTC: the customer has had",
        ),
    ],
)
def test_an_outlook_says_what_will_come_of_it(
    outcome: Outcome | None, reason: Why | None, channels: tuple[str, ...], said: str
) -> None:
    assert sentences.forecast(outcome, reason, channels, at(60)).startswith(said)


def test_what_has_no_event_names_none() -> None:
    assert sentences.began(at(0), at(0), "") == "It began on 2026-03-02 12:00:00 UTC."
    assert sentences.over(Gone.ERASED, at(0), "").endswith("on 2026-03-02 12:00:00 UTC.")
