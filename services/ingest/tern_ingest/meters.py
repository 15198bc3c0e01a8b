"""Ingest's own metrics. Labels are closed sets: a rejection's reason, a user token's outcome, whose
rate was used up."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Counter

from tern_ingest.domain.decisions import Accepted, Decision

ACCEPTED = Counter("tern_ingest_events_accepted", "Events that Kafka acknowledged.")
REJECTED = Counter("tern_ingest_events_rejected", "Events sent to the rejected topic, by reason.", ["reason"])
USER_TOKENS = Counter(
    "tern_ingest_user_tokens", "Events of browsers with a user token, by what it was found to be.", ["outcome"]
)
UNSIGNED_LOGINS = Counter(
    "tern_ingest_unsigned_logins", "Events whose user id identifies nobody, since their source signs its users."
)

REPLAYED = Counter("tern_ingest_replayed", "Rejected events that were sent again, by what became of them.", ["outcome"])
LIMITED = Counter(
    "tern_ingest_limited",
    "Requests that were put off (429), by whose rate was used up: a key's or an address's.",
    ["whose"],
)


def count(decisions: Iterable[Decision]) -> None:
    """Counts decisions that were carried out."""
    accepted = 0
    for decision in decisions:
        if isinstance(decision, Accepted):
            accepted += 1
            if decision.token:
                USER_TOKENS.labels(decision.token).inc()
            if decision.event.unsigned_user_id is not None:
                UNSIGNED_LOGINS.inc()
        else:
            REJECTED.labels(decision.reason).inc()
    ACCEPTED.inc(accepted)
