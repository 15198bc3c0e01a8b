"""Many worlds of crashes, zombies, outages, refusals and lost acknowledgements: each keeps all promises."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from simulation.checks import check, published
from simulation.quiet import silence
from simulation.rules import RULES
from simulation.world import CALM, Ended, play
from tern_triggers.domain.decisions import Outcome, Why

SEEDS = range(300)
WORKERS = 2


def wrong(seed: int) -> str | None:
    """What is wrong in the world of a seed."""
    silence()
    try:
        check(play(seed))
    except AssertionError as found:
        return str(found)
    return None


@pytest.fixture(scope="module")
def players() -> Iterator[ProcessPoolExecutor]:
    """Processes that are not traced: to trace so many worlds would treble their time."""
    with pytest.MonkeyPatch.context() as environment, ProcessPoolExecutor(WORKERS, get_context("spawn")) as pool:
        environment.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        yield pool


def test_no_weather_makes_a_trigger_false_double_or_lost(players: ProcessPoolExecutor) -> None:
    found = [said for said in players.map(wrong, SEEDS, chunksize=10) if said is not None]
    assert not found, "replay with `make simulate ARGS=SEED`: " + "; ".join(found)


def played_calmly(seed: int) -> Ended:
    """A world in which nothing goes wrong."""
    silence()
    return play(seed, CALM)


def test_a_seed_is_a_world() -> None:
    assert told(7) == told(7)


@pytest.fixture(scope="module")
def calm(players: ProcessPoolExecutor) -> Sequence[Ended]:
    """Worlds in which nothing goes wrong."""
    return list(players.map(played_calmly, range(8)))


def test_in_calm_weather_much_is_fired(calm: Sequence[Ended]) -> None:
    """Worlds in which nothing happens would prove nothing."""
    assert sum(len(published(ended)) for ended in calm[:5]) >= 15


def test_in_calm_weather_everything_that_is_played_happens(calm: Sequence[Ended]) -> None:
    """Every step is sent, contacts wait for the morning and for caps, and history brings facts."""
    judged = [one.decision for each in calm for one in each.tables.triggers.judged]
    sent = {(one.rule, one.step) for one in judged if one.outcome is Outcome.FIRED}
    assert sent == {(rule.rule, step) for rule in RULES for step in range(len(rule.steps))}
    waited = {one.deferral.why for each in calm for one in each.tables.triggers.put_off}
    assert waited == {Why.QUIET, Why.CAPPED}
    assert all(any(fact.passive for fact in each.tables.triggers.node.facts.values()) for each in calm)


def told(seed: int) -> Sequence[object]:
    """What was decided, when, and by which safe time."""
    judged = play(seed).tables.triggers.judged
    return [(one.decision.trigger_id, one.decision.outcome, one.now, one.safe) for one in judged]
