"""Ingest's own metrics. Labels are closed sets: an event's type, a rejection's reason."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Counter

from tern_ingest.domain.decisions import Accepted, Decision

ACCEPTED = Counter("tern_ingest_events_accepted", "Events that Kafka acknowledged.")
REJECTED = Counter("tern_ingest_events_rejected", "Events sent to the rejected topic, by reason.", ["reason"])


def count(decisions: Iterable[Decision]) -> None:
    """Counts decisions that were carried out."""
    accepted = 0
    for decision in decisions:
        if isinstance(decision, Accepted):
            accepted += 1
        else:
            REJECTED.labels(decision.reason).inc()
    ACCEPTED.inc(accepted)
