"""Of several waits for one trigger one counts, whatever order they are read in."""

from __future__ import annotations

from itertools import permutations

from tern_triggers.domain.decisions import Why
from tern_triggers.domain.view import Deferral, told_apart
from unit.triggers.saying import HOME, OTHER, at

SHORT = Deferral("t1", OTHER, "cart", at(10), Why.QUIET)
LONG = Deferral("t1", HOME, "cart", at(20), Why.HISTORY, at(20))
ELSE = Deferral("t2", HOME, "cart", at(5), Why.CAPPED)


def test_the_shortest_wait_counts_and_what_was_taken_up_stays_taken_up() -> None:
    for waiting in permutations([SHORT, LONG, ELSE]):
        found, doubles = told_apart(waiting)
        assert found == {"t1": SHORT._replace(enrolled=at(20)), "t2": ELSE}
        assert doubles == [LONG]
