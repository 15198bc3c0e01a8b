"""Every deliberate mistake is noticed: each in a world in which it matters."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulation.checks import check
from simulation.flaws import Flaw
from simulation.process import Pace
from simulation.world import Weather, play

pytestmark = pytest.mark.teeth

FAIR = Weather(crashes=False, freezes=False, outages=False)


def away(service: str, every_s: float = 2.0) -> Weather:
    """All of a service is away, again and again."""
    return Weather(freezes=False, outages=False, absent=(service,), every_s=every_s)


def slow(transaction_s: float, acknowledgement_s: float = 0.004) -> Weather:
    """Nothing breaks; all takes long."""
    return replace(FAIR, pace=Pace(transaction_s, acknowledgement_s))


TRIES = 30
"""Worlds, before a flaw counts as unseen: any change of what is played deals them anew."""
SHOWN_BY: dict[Flaw, tuple[Weather, int]] = {
    Flaw.COMMIT_FIRST: (away("identity"), 0),
    Flaw.SKIP_REDELIVERED: (replace(away("identity"), pace=Pace(0.04, 1.0)), 9),
    Flaw.NO_PROFILE_HOP: (away("profile", 3.0), 15),
    Flaw.OWN_POSITIONS: (slow(3.0), 10),
    Flaw.EARLY_POSITIONS: (slow(4.0), 0),
    Flaw.WALL_CLOCK: (away("identity", 3.0), 0),
    Flaw.LATE_MOMENT: (Weather(), 0),
    Flaw.NOTED_AFTER_SENDING: (slow(0.04, 3.0), 0),
    Flaw.COMMIT_UNAPPLIED: (away("triggers"), 0),
    Flaw.FORGET_NOTHING_FIRED: (Weather(), 3),
    Flaw.LIVE_ALONE: (away("identity"), 4),
    Flaw.HISTORY_SPEAKS: (FAIR, 0),
    Flaw.RULE_BY_RULE: (FAIR, 0),
    Flaw.QUIET_BY_ROUND: (away("triggers"), 26),
    Flaw.DEFERRED_UNSEEN: (FAIR, 2),
    Flaw.COUNTED_ANEW: (FAIR, 4),
    Flaw.CLASS_UNNOTICED: (FAIR, 0),
}


@pytest.mark.parametrize("flaw", list(Flaw), ids=lambda flaw: flaw.name.lower())
def test_a_platform_with_this_flaw_is_found_out_and_without_it_the_same_world_is_sound(flaw: Flaw) -> None:
    weather, first = SHOWN_BY[flaw]
    shown = next((seed for seed in range(first, first + TRIES) if is_wrong(seed, weather, flaw)), None)
    assert shown is not None, f"no world of {TRIES} shows it"
    check(play(shown, weather))


def is_wrong(seed: int, weather: Weather, flaw: Flaw) -> bool:
    """Whether the checks say so."""
    ended = play(seed, weather, flaw)
    try:
        check(ended)
    except AssertionError:
        return True
    return False
