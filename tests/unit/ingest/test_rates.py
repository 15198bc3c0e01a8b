"""How often is too often, for any history of calls."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tern_ingest.domain.rates import rate

NEVER = float("-inf")
pauses = st.lists(st.floats(0, 3), min_size=1, max_size=200)


@given(pauses, st.floats(0.1, 100), st.floats(0, 10))
def test_no_stretch_of_time_has_more_than_its_rate_and_one_burst(
    between: list[float], per_s: float, burst_s: float
) -> None:
    allowed = rate(per_s, burst_s)
    now, taken, admitted = 0.0, NEVER, list[float]()
    for pause in between:
        now += pause
        if not allowed.wait_s(taken, now):
            taken = allowed.taken(taken, now)
            admitted.append(now)
    for place, begun in enumerate(admitted):
        in_it = len(admitted) - place
        most = (admitted[-1] - begun) * per_s + max(burst_s * per_s, 1)
        assert in_it <= most + 0.002


@given(pauses, st.floats(0.1, 100), st.floats(0, 10))
def test_who_waits_as_long_as_he_is_told_is_let_in(between: list[float], per_s: float, burst_s: float) -> None:
    allowed = rate(per_s, burst_s)
    now, taken = 0.0, NEVER
    for pause in between:
        now += pause
        now += allowed.wait_s(taken, now)
        assert allowed.wait_s(taken, now) == 0
        taken = allowed.taken(taken, now)


def test_a_burst_is_let_in_at_once_and_then_one_by_one() -> None:
    allowed = rate(10, 2)
    taken, admitted = NEVER, 0
    while not allowed.wait_s(taken, 0):
        taken, admitted = allowed.taken(taken, 0), admitted + 1
    assert admitted == 20
    assert allowed.wait_s(taken, 0) == 1
    assert allowed.wait_s(taken, 0.1) == 0


def test_a_slow_rate_lets_one_in_whatever_the_burst() -> None:
    allowed = rate(0.01, 0.5)
    assert allowed.wait_s(NEVER, 0) == 0
    assert allowed.wait_s(allowed.taken(NEVER, 0), 0) == 100


def test_what_is_taken_above_the_rate_is_paid_back() -> None:
    allowed = rate(10, 1)
    taken = allowed.taken(NEVER, 0, 50)
    assert allowed.wait_s(taken, 0) == 5
    assert allowed.wait_s(taken, 4.2) == 0


def test_nobody_pays_back_for_longer_than_a_minute() -> None:
    for per_s, wait_s in ((10_000, 60), (10, 60), (0.01, 100)):
        allowed, taken = rate(per_s, 1), NEVER
        for _ in range(3):
            taken = allowed.taken(taken, 0, 1_000_000)
        assert allowed.wait_s(taken, 0) == wait_s


def test_a_wait_is_whole_seconds() -> None:
    allowed = rate(3, 1)
    waits = [allowed.wait_s(1e6 + ahead, 1e6) for ahead in (0, 0.6, 0.7, 1.6, 1.7, 2.7)]
    assert waits == [0, 0, 1, 1, 2, 3]
