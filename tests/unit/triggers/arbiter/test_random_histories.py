"""What the arbiter promises of any customer's history, whatever comes in whatever order (triggers.md §10, §11)."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tern_triggers.domain.decisions import Outcome, Why
from unit.triggers.arbiter.histories import Life, promises

SEEDS = range(120)


@given(seed=st.integers(0, 10**9))
def test_caps_quiet_hours_consent_frequency_and_expiry_hold_and_every_wait_ends(seed: int) -> None:
    promises(Life(seed).live())


@given(seed=st.integers(0, 10**9), order=st.integers(1, 10**6))
def test_the_order_in_which_things_are_known_decides_nothing(seed: int, order: int) -> None:
    first, second = Life(seed).live(), Life(seed, shuffled=order).live()
    assert [one.row_id for one in first.decided] == [one.row_id for one in second.decided]
    assert first.decided == second.decided


def test_the_histories_are_worth_something() -> None:
    """Each way a decision can end, and each wait, comes up often enough to be tested."""
    ended: Counter[object] = Counter()
    waited: Counter[object] = Counter()
    for seed in SEEDS:
        life = Life(seed).live()
        promises(life)
        ended.update(one.reason or one.outcome for one in life.decided)
        waited.update(deferral.why for _, found in life.waits for deferral in found.deferrals)
    wanted = (Outcome.FIRED, Outcome.HELD_OUT, Why.EXPIRED, Why.NO_CONSENT, Why.FREQUENCY, Why.CAPPED)
    assert all(ended[outcome] >= 5 for outcome in wanted), ended
    assert all(waited[why] >= 5 for why in (Why.QUIET, Why.BEST_HOUR, Why.CAPPED)), waited
