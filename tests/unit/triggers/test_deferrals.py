"""Of several waits for one trigger one counts, and it is known again under a new name."""

from __future__ import annotations

from itertools import permutations

from msgspec.structs import replace

from tern_triggers.domain.decisions import Why, trigger_id
from tern_triggers.domain.rules import RULE
from tern_triggers.domain.view import Deferral, told_apart
from unit.triggers.saying import HOME, OTHER, at, candidates_of, view
from unit.triggers.test_filter_rule import WRITTEN, opened

SHORT = Deferral("t1", OTHER, "cart", at(10), Why.QUIET)
LONG = Deferral("t1", HOME, "cart", at(20), Why.HISTORY, at(20))
ELSE = Deferral("t2", HOME, "cart", at(5), Why.CAPPED)


def test_the_shortest_wait_counts_and_what_was_taken_up_stays_taken_up() -> None:
    for waiting in permutations([SHORT, LONG, ELSE]):
        found, doubles = told_apart(waiting)
        assert found == {"t1": SHORT._replace(enrolled=at(20)), "t2": ELSE}
        assert doubles == [LONG]


def test_only_what_its_own_cycle_was_called_before_is_taken_over() -> None:
    rule = RULE.validate_python({**WRITTEN, "history": "enrol"})
    seen = view(opened(0, "m0"), opened(5, "m1"), opened(6, "m2", "other"))
    renamed, kept = sorted(candidates_of(rule, seen), key=lambda each: each.cycle_ref)
    assert (renamed.cycle_ref, kept.cycle_ref) == ("m0", "m2")
    former = Deferral(trigger_id(rule.rule, "t1", "m1", 0), HOME, rule.rule, at(90), Why.QUIET, at(80))
    found = {c.cycle_ref: c.deferral for c in candidates_of(rule, replace(seen, deferrals={former.trigger_id: former}))}
    assert found == {"m0": former._replace(trigger_id=renamed.trigger_id, why=Why.HISTORY), "m2": None}
    plain = former._replace(enrolled=None)
    assert [c.deferral for c in candidates_of(rule, replace(seen, deferrals={plain.trigger_id: plain}))] == [None, None]
