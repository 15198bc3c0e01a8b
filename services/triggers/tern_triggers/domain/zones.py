"""Which time zone a customer lives in: its own where its profile knows it, else the shop's; never UTC by accident."""

from __future__ import annotations

from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from tern_triggers.domain.policy import Policy
from tern_triggers.domain.view import View


def zone_of(view: View, policy: Policy) -> ZoneInfo:
    """The customer's zone. A name that is none, or that this machine does not know, is as good as nothing."""
    known = [voice.zone for voice in view.voices if voice.zone is not None and voice.zone in _known()]
    return ZoneInfo(known[0] if known else policy.arbiter.zone)


@cache
def _known() -> frozenset[str]:
    return frozenset(available_timezones())
