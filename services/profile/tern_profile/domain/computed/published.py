"""A computed trait as readers of the public record see it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from tern_common.conditions import Value
from tern_common.events import Computed as Shown
from tern_profile.domain.computed.declaring import Computed
from tern_profile.domain.computed.history import steps
from tern_profile.domain.computed.tally import Tally


def published(declared: Computed, tally: Tally, passed: datetime | None) -> Shown | None:
    """Its value, and the moment since which it is that; None where nothing is left in its window to show."""
    last = steps(declared.of, declared.window, tally, passed)[-1]
    value = _written(last.value)
    if value is None:
        return None
    grown = tally.keep == "oldest" and not tally.whole  # the last ones are not kept one by one, but each moved it
    return Shown(value=value, since=tally.last if grown else last.at)


def _written(value: Value) -> str | int | float | bool | None:
    if not isinstance(value, Decimal):
        return value
    return int(value) if value == value.to_integral_value() else float(value)
