"""The arbiter's numbers: what is shipped, and what is refused with words that say what to write."""

from __future__ import annotations

from datetime import time, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import tern_triggers
from tern_common.policy import load_policy
from tern_triggers.domain.policy import Arbiter, Policy

FILE = Path(tern_triggers.__file__).parent.parent / "policy.yaml"


def test_the_file_states_every_number_of_the_arbiter_and_they_are_the_defaults() -> None:
    shipped = load_policy(FILE, Policy)
    assert shipped.arbiter == Arbiter()
    assert shipped.arbiter.model_fields_set == set(Arbiter.model_fields)
    for part in ("quiet", "best_hour", "response", "incentives", "holds", "own_cap"):
        model = getattr(shipped.arbiter, part)
        assert model.model_fields_set == set(type(model).model_fields), part


def test_the_shipped_defaults_are_those_of_the_design() -> None:
    numbers = load_policy(FILE, Policy).arbiter
    assert [(cap.contacts, cap.window, cap.channel) for cap in numbers.caps] == [
        (1, timedelta(hours=24), None),
        (3, timedelta(days=7), None),
        (1, timedelta(days=7), "sms"),
    ]
    assert (numbers.quiet.begin, numbers.quiet.end) == (time(21), time(9))
    assert numbers.quiet.channels == ("sms", "push", "call")
    assert numbers.best_hour.events == 20
    assert numbers.holds.answer_within == timedelta(seconds=30)
    assert not numbers.untrusted_contacts


def test_it_reads_back_what_it_shows() -> None:
    shipped = load_policy(FILE, Policy)
    assert Policy.model_validate(shipped.model_dump(mode="json")) == shipped
    shown = shipped.model_dump(mode="json")["arbiter"]
    assert shown["caps"][0] == {"contacts": 1, "window": "1d", "channel": None}
    assert shown["response"] == {"share": "20%", "weight": 5}


@pytest.mark.parametrize(
    ("arbiter", "words"),
    [
        ({"caps": [{"contacts": 1, "window": "0s"}]}, "must be longer than 0, for example 24h"),
        ({"own_cap": {"window": "0s"}}, "must be longer than 0"),
        ({"caps": [{"contacts": 0, "window": "24h"}]}, "greater than or equal to 1"),
        ({"zone": "Berlin"}, "write for example Europe/Berlin"),
        ({"quiet": {"begin": 1260}}, 'write the time between quotes, for example "21:00"'),
        ({"quiet": {"begin": "09:00", "end": "09:00"}}, "for no quiet hours write `channels: []`"),
        ({"quiet": {"begin": "21:00+02:00"}}, "write times without one"),
        ({"quiet": {"end": "09:00Z"}}, "write times without one"),
        ({"best_hour": {"shop": 24}}, "less than or equal to 23"),
        ({"holds": {"answer_within": "0s"}}, "must be longer than 0"),
        ({"incentives": {"abandoned": 0}}, "greater than or equal to 1"),
        ({"do_not_contact": {"path": "traits.x"}}, "tests nothing"),
        ({"surprise": 1}, "Extra inputs are not permitted"),
    ],
)
def test_what_cannot_be_right_is_refused_with_words_that_help(arbiter: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Policy.model_validate({"version": 1, "arbiter": arbiter})
    assert words in str(refused.value)


def test_a_slot_takes_time() -> None:
    with pytest.raises(ValidationError, match="`slot` must be longer than 0"):
        Policy.model_validate({"version": 1, "slot": "0s"})


def test_quiet_hours_in_yaml_need_quotes(tmp_path: Path) -> None:
    """YAML reads 21:00 as 1260, which would quietly be some other time."""
    file = tmp_path / "policy.yaml"
    file.write_text("version: 1\narbiter: {quiet: {begin: 21:00, end: 09:00}}\n")
    with pytest.raises(Exception, match="between quotes"):
        load_policy(file, Policy)
