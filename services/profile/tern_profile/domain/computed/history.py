"""What a tally came to and when: the steps of its value through time, as far as what is kept tells.

A step that lies before what is kept is put where it is certain not to move again: nobody who acts when something became
true must be made to act twice. So such a moment is too early, never too late.

What leaves a window leaves by absence of anything new: it counts until safe time has passed that moment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from heapq import merge
from typing import NamedTuple

from tern_common.commerce import amount
from tern_common.conditions import Value
from tern_profile.domain.computed.declaring import Op
from tern_profile.domain.computed.tally import NOTHING, Said, Tally, written


class Step(NamedTuple):
    """From `at` on, the value is this."""

    at: datetime
    value: Value


def steps(op: Op, window: timedelta | None, tally: Tally, passed: datetime | None) -> list[Step]:
    """Ascending, neighbours differ. `passed`: the moment up to which absence is certain; None: no moment is."""
    walked = list(_walk(op, window, tally.kept, passed))
    if not _is_known(op, window, tally):
        walked = _certain(op, window, tally, walked)
    return runs(walked)


def runs(walked: Sequence[Step]) -> list[Step]:
    """Without steps that change nothing; of several at one moment the last counts."""
    found: list[Step] = []
    for one in walked:
        if found and found[-1].at == one.at:
            found.pop()
        if not found or written(found[-1].value) != written(one.value):
            found.append(one)
    return found


def next_change(window: timedelta, tally: Tally, passed: datetime | None) -> datetime | None:
    """When the next of them leaves the window."""
    leaving = (one.at + window for one in tally.kept)
    return next((at for at in leaving if passed is None or at > passed), None)


def _is_known(op: Op, window: timedelta | None, tally: Tally) -> bool:
    """The first of all is known whatever was dropped, and so is the first of each value."""
    return tally.whole or (window is None and (op == "distinct" or tally.keep == "first"))


def _certain(op: Op, window: timedelta | None, tally: Tally, walked: list[Step]) -> list[Step]:
    """Where single events were dropped."""
    if tally.keep == "oldest":
        final = tally.total if op == "sum" else tally.count
        return [*walked, Step(tally.kept[-1].at, final)]
    if window is None:
        return (
            [Step(tally.first, walked[0].value), *walked[1:]] if op != "most_frequent" else _since_ever(tally, walked)
        )
    full_from = tally.kept[0].at + window
    before = [one for one in walked if one.at < full_from]
    return [*_since_ever(tally, before or walked[:1]), *(one for one in walked if one.at >= full_from)]


def _since_ever(tally: Tally, walked: Sequence[Step]) -> list[Step]:
    return [Step(tally.first, walked[-1].value)]


def _walk(op: Op, window: timedelta | None, kept: Sequence[Said], passed: datetime | None) -> Iterator[Step]:
    inside = _Inside(op)
    for at, leaves, one in merge(_coming(kept), _leaving(kept, window, passed), key=lambda move: move[:2]):
        if leaves:
            inside.drop(one)
        else:
            inside.add(one)
        yield Step(at, inside.value())


_Move = tuple[datetime, bool, Said]


def _coming(kept: Sequence[Said]) -> Iterator[_Move]:
    return ((one.at, False, one) for one in kept)


def _leaving(kept: Sequence[Said], window: timedelta | None, passed: datetime | None) -> Iterator[_Move]:
    if window is None or passed is None:
        return iter(())
    return ((one.at + window, True, one) for one in kept if one.at + window <= passed)


class _Inside:
    """What counts at a moment of the walk."""

    def __init__(self, op: Op) -> None:
        self._op = op
        self._said: list[Said] = []
        self._left = 0
        self._values: Counter[str] = Counter()
        self._shown: dict[str, Value] = {}
        self._total = NOTHING

    def add(self, one: Said) -> None:
        """One more, newer than all before."""
        name = written(one.value)
        self._said.append(one)
        self._values[name] += 1
        self._shown[name] = one.value
        self._total += self._worth(one)

    def drop(self, one: Said) -> None:
        """The oldest leaves."""
        name = written(one.value)
        self._left += 1
        self._values[name] -= 1
        if not self._values[name]:
            del self._values[name]
        self._total -= self._worth(one)

    def _worth(self, one: Said) -> Decimal:
        return amount(one.value) or NOTHING if self._op == "sum" else NOTHING

    def value(self) -> Value:
        match self._op:
            case "count":
                return len(self._said) - self._left
            case "sum":
                return self._total
            case "distinct":
                return len(self._values)
            case _:
                return self._one() if self._left < len(self._said) else None

    def _one(self) -> Value:
        match self._op:
            case "first":
                return self._said[0].value
            case "last":
                return self._said[-1].value
            case "most_frequent":
                return self._shown[min(self._values, key=lambda name: (-self._values[name], name))]
            case _:
                return moment(self._said[-1 if self._op == "last_time" else 0].at)


def moment(at: datetime) -> str:
    """RFC 3339, UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
