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
    Flaw.SKIP_REDELIVERED: (replace(away("identity"), pace=Pace(0.04, 1.0)), 7),
    Flaw.NO_PROFILE_HOP: (away("profile", 3.0), 30),
    Flaw.OWN_POSITIONS: (slow(3.0), 24),
    Flaw.EARLY_POSITIONS: (slow(4.0), 20),
    Flaw.WALL_CLOCK: (away("identity", 3.0), 1),
    Flaw.LATE_MOMENT: (Weather(), 0),
    Flaw.NOTED_AFTER_SENDING: (slow(0.04, 3.0), 26),
    Flaw.COMMIT_UNAPPLIED: (away("triggers"), 0),
    Flaw.FORGET_NOTHING_FIRED: (Weather(), 8),
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
