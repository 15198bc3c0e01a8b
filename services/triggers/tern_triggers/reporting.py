"""The Kafka edge of what comes back: outcomes of triggers, and a storefront's answers about stock.

A group of its own: whatever is reported, events never wait for it. What triggers themselves say on the stock topic is
read past.
"""

from __future__ import annotations

from tern_common.bus import Record
from tern_common.clock import Clock
from tern_common.consume import Batch
from tern_common.db import Pool
from tern_common.topics import OUTCOMES, STOCK
from tern_triggers import meters
from tern_triggers.domain.reports import HoldAnswered, OutcomeReported, decode_outcome, decode_stock
from tern_triggers.store import reports
from tern_triggers.store.reports import Taken

REPORTS_GROUP = "triggers-reports"
REPORTS_TOPICS = (OUTCOMES, STOCK)

Report = OutcomeReported | HoldAnswered | None


class ReportsHandler:
    """`consume.Handler` of reports."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock

    def decode(self, record: Record) -> Report:
        """None for what asks for no more than to be read. Raises `Poison`."""
        if record.topic == OUTCOMES:
            return decode_outcome(record.value)
        said = decode_stock(record.value)
        return said if isinstance(said, HoldAnswered) else None

    async def apply(self, found: Batch[Report]) -> None:
        """A transaction for outcomes and one for answers: either may be repeated."""
        outcomes = [one for one in found.items if isinstance(one, OutcomeReported)]
        answers = [one for one in found.items if isinstance(one, HoldAnswered)]
        if outcomes:
            _count("outcome", await reports.take_outcomes(self._pool, outcomes, self._clock.now()))
        if answers:
            _count("answer", await reports.take_answers(self._pool, answers, self._clock.now()))


def _count(kind: str, taken: Taken) -> None:
    meters.REPORTS.labels(kind, "yes").inc(taken.known)
    meters.REPORTS.labels(kind, "no").inc(taken.unknown)
