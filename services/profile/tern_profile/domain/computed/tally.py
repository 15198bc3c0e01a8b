"""What is kept of the events that a computed trait counts: a fold of bounded size.

Of all of them their number and their sum, the first and the last time; of each single one only some are kept, chosen
so that those kept of a union are among those kept of its parts:

| keep | which |
|---|---|
| `first` | the first |
| `oldest` | the oldest: when a count or a sum passed a number is known exactly, as long as it did among them |
| `newest` | the newest: windows, last and most frequent values are of these |
| `values` | of each value the first, of the values that came first |
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from tern_profile.domain.computed.declaring import Computed

Keep = Literal["first", "oldest", "newest", "values"]

NOTHING = Decimal(0)


class Said(Struct, array_like=True, frozen=True):
    """What one event contributes. `value`: a JSON scalar; of a sum, the text of an exact amount."""

    at: datetime
    message_id: str
    value: str | int | float | bool | None = None

    @property
    def rank(self) -> tuple[datetime, str, str]:
        """By time; a total order."""
        return self.at, self.message_id, written(self.value)


class Tally(Struct, array_like=True, frozen=True):
    """A fold state. `kept` is ordered by time."""

    keep: Keep
    count: int
    total: Decimal
    first: datetime
    last: datetime
    kept: tuple[Said, ...]

    @property
    def whole(self) -> bool:
        """Whether every single one is kept."""
        return self.count == len(self.kept)


def written(value: object) -> str:
    """A text that tells apart what differs: `1` and `"1"` do."""
    return f"{type(value).__name__}:{value}"


def keep_of(declared: Computed) -> Keep:
    """What must be kept for this operator."""
    if declared.window is not None or declared.of in ("last", "last_time", "most_frequent"):
        return "newest"
    if declared.of == "distinct":
        return "values"
    return "oldest" if declared.of in ("count", "sum") else "first"


def of_one(keep: Keep, said: Said, worth: Decimal = NOTHING) -> Tally:
    """The tally of one event."""
    return Tally(keep, 1, worth, said.at, said.at, (said,))


def combine(a: Tally, b: Tally, most: int) -> Tally:
    """Of both, which are of disjoint sets of messages. Commutative and associative."""
    kept = _kept((*a.kept, *b.kept), a.keep, most)
    return Tally(a.keep, a.count + b.count, a.total + b.total, min(a.first, b.first), max(a.last, b.last), kept)


def _kept(said: Iterable[Said], keep: Keep, most: int) -> tuple[Said, ...]:
    ordered = sorted(said, key=lambda one: one.rank)
    if keep == "newest":
        return tuple(ordered[-most:])
    if keep == "values":
        firsts: dict[str, Said] = {}
        for one in ordered:
            firsts.setdefault(written(one.value), one)
        ordered = list(firsts.values())
    return tuple(ordered[: 1 if keep == "first" else most])
