"""Whom an error of ours is blamed on: the records that meet it, while others pass; or Tern, where nothing passes.

One record must not keep all behind it waiting, and an error that is everybody's must not reject all that comes. It
refuses to know what the error is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TypeVar

from tern_common.bus import Record
from tern_common.errors import Misconfigured, Transient
from tern_common.logs import logger

R = TypeVar("R")

IN_A_ROW = 10
"""So many records are rejected for errors of ours while none passes; then no more is, and the loop goes no further."""
AT_FIRST = 1
"""The same of a process that never applied anything: begun anew again and again it would else reject all, slowly."""

PUT_OFF = timedelta(hours=1)
"""So much later a customer is looked at again about whom an error of ours was met."""


class TooManyErrors(Exception):
    """Nothing passes: to go on would be to reject all that comes for what is no record's fault. The process ends by it,
    except where the loop stands beside the live stream (`consume/standing.py`)."""


class Found:
    """What trying the records of one fetch apart came to: which met errors of ours, which can never be applied and why,
    and whether others passed. None of them is rejected before all of it is known: the whole may be tried anew."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.unusable: list[tuple[str, Record]] = []
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


async def one_by_one(customers: Sequence[str], look: Callable[[str], Awaitable[R]]) -> tuple[list[R], list[str]]:
    """What looking at each customer alone came to, and about whom an error of ours was met: he is to be put off.

    One that all of more than ten meet is nobody's: the first one's is raised.
    """
    done: list[R] = []
    erring: dict[str, Exception] = {}
    for customer in customers:
        try:
            done.append(await look(customer))
        except (Transient, Misconfigured):
            raise
        except Exception as wrong:  # noqa: BLE001 - it is raised below, or the customer is put off
            erring[customer] = wrong
    if len(erring) > IN_A_ROW and not done:
        raise erring[customers[0]]
    for customer, met in erring.items():
        logger.error("a look met an error of ours, and is put off", exc_info=met, customer_id=customer)
    return done, list(erring)
