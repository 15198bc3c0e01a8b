"""What waits is known again when its cycle is renamed: history is taken up once."""

from __future__ import annotations

from typing import Any

from integration.triggers.shop import DAY, HOUR, MINUTE, NOON, Shop, event, profile
from tern_triggers.domain.rules import RULE

WRITTEN: dict[str, Any] = {
    "rule": "stuck",
    "version": 1,
    "kind": "inactivity",
    "family": "service",
    "priority": 40,
    "purpose": "marketing",
    "channels": ["email"],
    "start": {"event": "Inquiry Opened"},
    "exit": {"event": "Inquiry Solved"},
    "history": "enrol",
    "steps": [{"after": "1d", "expires_after": "14d"}],
}


async def test_a_start_that_turns_up_late_renames_what_waits_and_lets_it_wait_no_longer(shop: Shop) -> None:
    """History is taken up once: what was spread over days is not spread again."""
    shop = Shop(shop.pool, shop.broker, [RULE.validate_python(WRITTEN)])
    await shop.meet(profile("ann"))
    await shop.take(event("ann", "Inquiry Opened", NOON - 10 * DAY, "m1", late_by=10 * DAY))
    await shop.at(NOON + HOUR)
    ((why, until),) = await shop.deferred()
    assert why == "before-live"
    await shop.take(event("ann", "Inquiry Opened", NOON - 11 * DAY, "m0", late_by=11 * DAY))
    await shop.at(NOON + 2 * HOUR)
    assert await shop.deferred() == [("before-live", until)]
    await shop.at(until + MINUTE)
    (fired,) = shop.published("service")
    assert fired["data"]["reason"]["cycle_ref"] == "m0"
    assert await shop.deferred() == []
