"""What is counted about consumers and progress. Labels are names of loops and constant reasons, never data."""

from __future__ import annotations

from typing import Protocol

from prometheus_client import Counter, Gauge, Histogram

from tern_common.board import seen_by_each

_RECORDS = Counter("tern_consumed_records", "Records applied.", ["loop"])
_SECONDS = Histogram(
    "tern_consumed_batch_duration_seconds",
    "Seconds from the fetch of a batch to its commit.",
    ["loop"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60),
)
_REJECTED = Counter("tern_rejected_records", "Records sent to the rejected topic.", ["loop", "reason"])
_RETRIES = Counter("tern_consume_retries", "Steps that met a transient error and were tried again.", ["loop"])
_LAG = seen_by_each(
    Gauge("tern_consumer_lag_records", "Records of the source topics that the groups have not committed.", ["loop"])
)
_CLAIM_AGE = seen_by_each(
    Gauge(
        "tern_claim_age_seconds",
        "Domain seconds from what a claim is about to its arrival. Below zero: the claimer's clock is ahead.",
        ["claimer", "lane"],
    )
)
_GIVES_WAY = seen_by_each(
    Gauge("tern_backfill_gives_way", "1 while a loop of the backfill lane waits for the live lane.", ["loop"])
)
_STANDS = seen_by_each(
    Gauge("tern_loop_stands_still", "1 while a loop beside the live stream tries what nothing passes.", ["loop"])
)


class Meter(Protocol):
    """What a loop tells about itself."""

    def applied(self, records: int, seconds: float) -> None:
        """A fetch was applied and committed."""
        ...

    def rejected(self, reason: str, records: int) -> None:
        """Records went to the rejected topic."""
        ...

    def retried(self) -> None:
        """A transient error; the step is tried again."""
        ...

    def stands_still(self, stands: bool) -> None:
        """Whether nothing passes at the moment."""
        ...

    def lag(self, records: int) -> None:
        """So many records are behind the end of the source topic."""
        ...


class PrometheusMeter:
    """Counts for `/metrics`, under the loop's name."""

    def __init__(self, loop: str) -> None:
        self._loop = loop

    def applied(self, records: int, seconds: float) -> None:
        _RECORDS.labels(self._loop).inc(records)
        _SECONDS.labels(self._loop).observe(seconds)

    def rejected(self, reason: str, records: int) -> None:
        _REJECTED.labels(self._loop, reason).inc(records)

    def retried(self) -> None:
        _RETRIES.labels(self._loop).inc()

    def stands_still(self, stands: bool) -> None:
        _STANDS.labels(self._loop).set(stands)

    def lag(self, records: int) -> None:
        _LAG.labels(self._loop).set(records)


class Unmetered:
    """Counts nothing."""

    def applied(self, records: int, seconds: float) -> None: ...

    def rejected(self, reason: str, records: int) -> None: ...

    def retried(self) -> None: ...

    def stands_still(self, stands: bool) -> None: ...

    def lag(self, records: int) -> None: ...


UNMETERED = Unmetered()


def claim_arrived(claimer: str, lane: str, age_s: float) -> None:
    """A service's newest claim was read, about a moment so long ago."""
    _CLAIM_AGE.labels(claimer, lane).set(age_s)


def gives_way(loop: str, waits: bool) -> None:
    """Whether a loop of the backfill lane waits at the moment."""
    _GIVES_WAY.labels(loop).set(waits)
