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


SHOWN_BY: dict[Flaw, tuple[Weather, int]] = {
    Flaw.COMMIT_FIRST: (away("identity"), 0),
    Flaw.SKIP_REDELIVERED: (replace(away("identity"), pace=Pace(0.04, 1.0)), 10),
    Flaw.NO_PROFILE_HOP: (away("profile", 3.0), 15),
    Flaw.OWN_POSITIONS: (slow(3.0), 4),
    Flaw.EARLY_POSITIONS: (slow(4.0), 0),
    Flaw.WALL_CLOCK: (away("identity", 3.0), 0),
    Flaw.LATE_MOMENT: (Weather(), 0),
    Flaw.NOTED_AFTER_SENDING: (slow(0.04, 3.0), 0),
    Flaw.COMMIT_UNAPPLIED: (away("triggers"), 0),
    Flaw.FORGET_NOTHING_FIRED: (Weather(), 7),
    Flaw.LIVE_ALONE: (away("identity"), 0),
    Flaw.HISTORY_SPEAKS: (FAIR, 0),
    Flaw.RULE_BY_RULE: (FAIR, 0),
    Flaw.QUIET_BY_ROUND: (away("triggers"), 11),
    Flaw.DEFERRED_UNSEEN: (FAIR, 2),
    Flaw.COUNTED_ANEW: (FAIR, 4),
    Flaw.CLASS_UNNOTICED: (FAIR, 2),
}


@pytest.mark.parametrize("flaw", list(Flaw), ids=lambda flaw: flaw.name.lower())
def test_a_platform_with_this_flaw_is_found_out(flaw: Flaw) -> None:
    weather, seed = SHOWN_BY[flaw]
    with pytest.raises(AssertionError, match=f"seed {seed}"):
        check(play(seed, weather, flaw))


@pytest.mark.parametrize("flaw", list(Flaw), ids=lambda flaw: flaw.name.lower())
def test_without_the_flaw_the_same_world_is_sound(flaw: Flaw) -> None:
    weather, seed = SHOWN_BY[flaw]
    check(play(seed, weather))
