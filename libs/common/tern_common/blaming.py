"""Whom an error of ours is blamed on: the records that meet it, while others pass; or Tern, where nothing passes.

One record must not keep all behind it waiting, and an error that is everybody's must not reject all that comes. It
refuses to know what the error is.
"""

from __future__ import annotations

from tern_common.bus import Record

IN_A_ROW = 10
"""So many records are rejected for errors of ours while none passes; then the process ends, and rejects no more."""
AT_FIRST = 1
"""The same of a process that never applied anything: begun anew again and again it would else reject all, slowly."""


class TooManyErrors(Exception):
    """Nothing passes: to go on would be to reject all that comes for what is no record's fault. The process ends."""


class Found:
    """What trying the records of one fetch apart came to: which met errors of ours, and whether others passed."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.first: Exception | None = None
        self.others_passed = False

    def add(self, record: Record, wrong: Exception) -> None:
        """It fails alone. Of the errors one is kept: they hold on to all that was in hand."""
        self.records.append(record)
        self.first = self.first or wrong


class Blaming:
    """Of one loop."""

    def __init__(self) -> None:
        self._left = AT_FIRST

    def passed(self, records: int) -> None:
        """So many were applied and published: what fails next has something that they have not."""
        if records:
            self._left = IN_A_ROW

    def blame(self, records: int, *, others_passed: bool, wrong: Exception | None = None) -> None:
        """So many of a fetch may be rejected, or `TooManyErrors` is raised and none of them may. `others_passed`: the
        rest of that fetch did."""
        if others_passed:
            return
        if records > self._left:
            raise TooManyErrors from wrong
        self._left -= records
