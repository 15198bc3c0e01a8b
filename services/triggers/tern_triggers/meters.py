"""What the service counts. Labels are closed sets: rules, outcomes, reasons, types."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

DECISIONS = Counter("tern_triggers_decisions", "Decisions, and notes of ended cycles.", ["rule", "outcome", "reason"])
ENDED = Counter("tern_triggers_ended", "Triggers withdrawn, retracted or cancelled.", ["rule", "how"])
PUBLISHED = Counter("tern_triggers_published", "Records acknowledged on the trigger topics.", ["type"])
SET_ASIDE = Counter(
    "tern_triggers_set_aside", "Records that no broker takes; now on the rejected topic.", ["type", "reason"]
)
LOOKS = Counter("tern_triggers_looks", "Customers looked at because their agenda said so.")
OUTBOX_ROWS = Gauge("tern_triggers_outbox_rows", "Records decided and not acknowledged yet.")
OUTBOX_AGE = Gauge("tern_triggers_outbox_oldest_seconds", "Real seconds that the oldest of them has waited.")
SAFE_AGE = Gauge("tern_triggers_safe_time_age_seconds", "Domain seconds from safe time to now.", ["lane"])
LATENESS = Histogram(
    "tern_triggers_lateness_seconds",
    "Domain seconds from a decision's round to the decision.",
    buckets=(0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300, 3600),
)
