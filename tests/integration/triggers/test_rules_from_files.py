"""What files say is taken up at start, and never over the heads of people."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from integration.triggers.operating import operator, put, to_mode
from integration.triggers.shop import NOON
from tern_common.clock import ManualClock
from tern_common.db import Pool
from tern_triggers.store.rule_seeds import seed
from tern_triggers.store.rulebook import Rulebook
from unit.triggers.saying import RULES

DAY = timedelta(days=1)


@pytest.fixture
async def api(pool: Pool) -> AsyncIterator[httpx.AsyncClient]:
    """An operator's client, of a service that was started with two rules."""
    async with operator(pool, ManualClock(NOON)) as client:
        yield client


class TestFiles:
    """What files say is taken up at start, and never over the heads of people."""

    CART = RULES[0].model_copy(update={"version": 3})

    async def current(self, pool: Pool) -> tuple[int, str, int]:
        rules = await Rulebook().read(pool)
        (rule,) = (rule for rule in rules.rules if rule.rule == "cart_abandoned")
        return rule.version, rule.mode, rule.priority

    async def restart(self, pool: Pool, **changes: object) -> list[str]:
        """With the cart's file as it is now; the rules whose files were left out."""
        rule = self.CART.model_copy(update=changes)
        return [skipped.why for skipped in await seed(pool, [rule], NOON + DAY)]

    async def test_rules_of_the_first_start_have_always_decided_and_later_ones_begin_when_they_come(
        self, pool: Pool
    ) -> None:
        await seed(pool, RULES, NOON)
        assert (await Rulebook().read(pool)).since == {}
        await seed(pool, [RULES[0].model_copy(update={"rule": "another_cart"})], NOON + DAY)
        assert (await Rulebook().read(pool)).since == {"another_cart": NOON + DAY}

    async def test_an_unchanged_file_changes_nothing(self, pool: Pool) -> None:
        await self.restart(pool)
        before = (await Rulebook().read(pool)).revision
        await self.restart(pool)
        assert (await Rulebook().read(pool)).revision == before

    async def test_a_changed_file_is_a_new_version_that_keeps_the_mode_which_people_chose(
        self, pool: Pool, api: httpx.AsyncClient
    ) -> None:
        await self.restart(pool)
        await to_mode(api, "paused", "cart_abandoned")
        assert await self.restart(pool, priority=51) == []
        assert await self.current(pool) == (4, "paused", 51)
        assert await self.restart(pool, priority=51, mode="shadow") == []
        assert await self.current(pool) == (5, "shadow", 51)

    async def test_an_older_file_is_left_out(self, pool: Pool) -> None:
        await self.restart(pool)
        (why,) = await self.restart(pool, version=2, priority=1)
        assert "raise this one's to 3" in why
        assert (await self.current(pool))[0] == 3

    async def test_what_people_wrote_is_theirs_until_a_file_has_a_higher_version(
        self, pool: Pool, api: httpx.AsyncClient
    ) -> None:
        text = self.CART.model_copy(update={"priority": 77}).model_dump_json(exclude_none=True)
        await self.restart(pool)
        assert (await put(api, text, "cart_abandoned", If_Match="*", as_json=True)).status_code == 200
        assert await self.current(pool) == (4, "live", 77)
        (why,) = await self.restart(pool, priority=60)
        assert "raise the file's version to 5" in why
        assert await self.current(pool) == (4, "live", 77)
        assert await self.restart(pool, priority=60, version=5) == []
        assert await self.current(pool) == (5, "live", 60)

    async def test_a_retired_rule_stays_retired_until_a_file_has_a_higher_version(
        self, pool: Pool, api: httpx.AsyncClient
    ) -> None:
        await self.restart(pool)
        await api.delete("/v1/rules/cart_abandoned", params={"reason": "enough"})
        assert len(await self.restart(pool)) == 1
        assert (await self.current(pool))[1] == "paused"
        assert await self.restart(pool, version=4) == []
        assert (await self.current(pool))[1] == "live"
