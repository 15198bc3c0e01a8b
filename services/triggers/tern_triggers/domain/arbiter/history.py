"""What was due before anybody could have acted on it: before the rule decided, or before the history came (§6).

Whoever is only just past is taken up, spread over days; whoever is long past is left to a campaign.
"""

from __future__ import annotations

from tern_triggers.domain.arbiter.case import Case, Verdict, suppressed
from tern_triggers.domain.arbiter.draws import spread
from tern_triggers.domain.decisions import Why
from tern_triggers.domain.moments import TICK, round_up


def taken_up(case: Case) -> Verdict | None:
    """None where the step is of the present, or was taken up before: its expiry counts from then.

    A start that came late or was imported makes a step history only if the step was overdue when it was first looked
    at: one that falls due later is decided in its own round.
    """
    candidate, rule = case.candidate, case.candidate.rule
    if candidate.deferral is not None or rule.ignores_history or not _is_history(case):
        return None
    begun = case.now if candidate.start.passive or case.since is None else case.since
    if begun - candidate.due > rule.catch_up:
        return suppressed(Why.HISTORY)
    until = case.moment + max(TICK, spread(candidate.start.home_id, rule.rule, rule.spread))
    return Verdict(None, Why.HISTORY, until=until)


def _is_history(case: Case) -> bool:
    candidate = case.candidate
    if case.since is not None and candidate.due < case.since:
        return True
    own_round = round_up(candidate.due + case.policy.grace, case.policy.slot)
    return candidate.start.passive and case.present > own_round
