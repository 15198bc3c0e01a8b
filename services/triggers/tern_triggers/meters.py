"""What the service counts. Labels are closed sets: rules, outcomes, reasons, types."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

from tern_common.board import seen_by_each
from tern_triggers.domain.decisions import Decision, Outcome

DECISIONS = Counter(
    "tern_triggers_decisions", "Decisions, and notes of ended cycles.", ["rule", "mode", "outcome", "reason"]
)
ENDED = Counter("tern_triggers_ended", "Triggers withdrawn, retracted or cancelled.", ["rule", "how"])
PUBLISHED = Counter("tern_triggers_published", "Records acknowledged on the trigger topics.", ["type"])
SET_ASIDE = Counter(
    "tern_triggers_set_aside", "Records that no broker takes; now on the rejected topic.", ["type", "reason"]
)
LOOKS = Counter("tern_triggers_looks", "Customers looked at because their agenda said so.")
OUTBOX_ROWS = seen_by_each(Gauge("tern_triggers_outbox_rows", "Records decided and not acknowledged yet."))
OUTBOX_AGE = seen_by_each(
    Gauge("tern_triggers_outbox_oldest_seconds", "Real seconds that the oldest of them has waited.")
)
SAFE_AGE = seen_by_each(Gauge("tern_triggers_safe_time_age_seconds", "Domain seconds from safe time to now.", ["lane"]))
REPORTS = Counter("tern_triggers_reports", "Outcomes and answers about stock that were taken.", ["kind", "known"])
LATENESS = Histogram(
    "tern_triggers_lateness_seconds",
    "Domain seconds from a decision's round to the decision.",
    buckets=(0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300, 3600),
)


def count_decisions(decisions: Iterable[Decision]) -> None:
    """Counts what was decided, and how late after its round each trigger fired."""
    for decision in decisions:
        DECISIONS.labels(decision.rule, decision.mode, decision.outcome, decision.reason or "").inc()
        if decision.outcome is Outcome.FIRED:
            LATENESS.observe(max(0.0, (decision.decided_at - decision.round).total_seconds()))
