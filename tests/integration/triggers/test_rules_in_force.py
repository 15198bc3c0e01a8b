"""One state of the rules for a whole transaction, and a look at everybody whom a change concerns."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from integration.triggers.shop import NOON, READY, Shop, cart, customer, order, profile
from tern_common.db import Pool, connection, transaction
from tern_common.errors import Misconfigured
from tern_triggers.domain.moments import AT_ONCE
from tern_triggers.domain.rules import RULE, Rule
from tern_triggers.store import rule_edits, rule_plans
from tern_triggers.store.rule_edits import Author
from tern_triggers.store.rule_plans import plan_page
from tern_triggers.store.rule_seeds import seed
from tern_triggers.store.rulebook import Rulebook
from unit.triggers.saying import CART, RECALL, RULES

BY = Author("ann (1)", "trying it", NOON)
LOOKS_LIKE = {"family": "lifecycle", "purpose": "marketing", "channels": ["email"], "steps": [{"expires_after": "24h"}]}
BIRTHDAY: Rule = RULE.validate_python(
    {"rule": "one_birthday", "kind": "date", "date": "traits.birthday", **LOOKS_LIKE},
)
SURVEY: Rule = RULE.validate_python(
    {"rule": "one_survey", "kind": "event", "of": {"event": "Survey Answered"}, **LOOKS_LIKE},
)


async def planned(pool: Pool) -> set[str]:
    """Who is looked at at once."""
    async with connection(pool) as conn:
        rows = await conn.fetch("SELECT customer_id FROM agenda WHERE next_live = $1 AND next_all = $1", AT_ONCE)
    return {str(row[0]) for row in rows}


async def forget_plans(pool: Pool) -> None:
    async with transaction(pool) as conn:
        await conn.execute("DELETE FROM rule_plan")
        await conn.execute("UPDATE agenda SET next_live = NULL, next_all = NULL")


async def plan_all(pool: Pool, limit: int = 2) -> int:
    pages = 0
    while await plan_page(pool, Rulebook(), limit):
        pages += 1
    return pages


async def test_a_change_waits_for_who_works_by_the_rules_and_is_seen_by_all_who_come_after(pool: Pool) -> None:
    await seed(pool, RULES, NOON)
    book = Rulebook()
    async with transaction(pool) as conn:
        before = await book.of(conn)
        change = asyncio.ensure_future(rule_edits.set_mode(pool, "recall", "paused", None, BY))
        done, _ = await asyncio.wait([change], timeout=0.3)
        assert not done, "somebody still works by the rules as they were"
        assert await book.of(conn) is before
    await change
    after = await book.read(pool)
    assert after.revision == before.revision + 1
    assert [rule.rule for rule in after.deciding] == ["cart_abandoned"]
    assert await book.read(pool) is after, "what is known is not read again"


async def test_two_edits_at_once_are_one_and_a_refusal(pool: Pool) -> None:
    await seed(pool, RULES, NOON)
    async with connection(pool) as conn:
        kept = await rule_edits.current(conn, "recall")
    assert kept is not None
    edits = (rule_edits.put(pool, RECALL.model_copy(update={"priority": number}), kept.tag, BY) for number in (61, 62))
    found = await asyncio.gather(*edits, return_exceptions=True)
    assert [isinstance(one, rule_edits.Kept) for one in found].count(True) == 1


async def test_a_change_looks_at_everybody_whose_facts_the_rule_reads_and_at_nobody_else(shop: Shop) -> None:
    await seed(shop.pool, RULES, NOON)
    await shop.take(*(cart(f"c{number}", NOON, f"m{number}", "tea", cart_id=f"k{number}") for number in range(5)))
    await shop.take(*(order(f"o{number}", NOON, f"o{number}", "tea") for number in range(5)))
    await forget_plans(shop.pool)
    only_orders = RECALL.model_copy(update={"priority": 41})
    await rule_edits.put(shop.pool, only_orders, "*", BY)
    assert await rule_plans.pending(shop.pool)
    assert await plan_all(shop.pool) > 5, "page by page"
    assert await planned(shop.pool) == {customer(f"o{number}") for number in range(5)}
    assert not await rule_plans.pending(shop.pool)


async def test_a_rule_about_profiles_looks_at_every_customer_who_has_one(shop: Shop) -> None:
    await seed(shop.pool, RULES, NOON)
    await shop.meet(*(profile(f"p{number}") for number in range(5)))
    await forget_plans(shop.pool)
    await rule_edits.put(shop.pool, BIRTHDAY, None, BY)
    await plan_all(shop.pool)
    assert await planned(shop.pool) == {customer(f"p{number}") for number in range(5)}


async def test_numbers_that_change_look_at_every_customer_with_a_profile_where_rules_are_about_them(shop: Shop) -> None:
    """A shop that moves to another zone has its birthdays at other hours."""
    await seed(shop.pool, [BIRTHDAY], NOON)
    shop.work_by(Rulebook())
    await shop.meet(*(profile(f"p{number}") for number in range(3)))
    await forget_plans(shop.pool)
    async for _ in shop.timing.plan_anew("other numbers"):
        pass
    await plan_all(shop.pool)
    assert await planned(shop.pool) == {customer(f"p{number}") for number in range(3)}


async def test_a_rule_that_decides_nothing_looks_at_nobody(shop: Shop) -> None:
    await seed(shop.pool, RULES, NOON)
    await shop.take(order("o1", NOON, "o1", "tea"))
    await forget_plans(shop.pool)
    await rule_edits.set_mode(shop.pool, "recall", "paused", None, BY)
    await plan_all(shop.pool)
    assert await planned(shop.pool) == set()
    await rule_edits.set_mode(shop.pool, "recall", "live", None, BY)
    await plan_all(shop.pool)
    assert await planned(shop.pool) == {customer("o1")}


async def test_a_clock_that_waits_for_this_service_waits_for_its_plans_too(shop: Shop) -> None:
    """A virtual clock must not pass a moment that nobody has planned for yet."""
    await seed(shop.pool, RULES, NOON)
    await shop.take(cart("ann", NOON, "m1", "tea"))
    await plan_all(shop.pool)
    await shop.at(NOON)
    assert await shop.next_look() == NOON + READY
    await rule_edits.put(shop.pool, CART.model_copy(update={"priority": 41}), "*", BY)
    assert await shop.next_look() == AT_ONCE


async def test_an_edit_begins_the_looks_anew(shop: Shop) -> None:
    await seed(shop.pool, RULES, NOON)
    await shop.take(*(order(f"o{number}", NOON, f"o{number}", "tea") for number in range(5)))
    await forget_plans(shop.pool)
    await rule_edits.put(shop.pool, RECALL.model_copy(update={"priority": 41}), "*", BY)
    assert await plan_page(shop.pool, Rulebook(), 2)
    async with transaction(shop.pool) as conn:
        await conn.execute("UPDATE agenda SET next_live = NULL, next_all = NULL")
    await rule_edits.put(shop.pool, RECALL.model_copy(update={"priority": 42}), "*", BY)
    await plan_all(shop.pool)
    assert len(await planned(shop.pool)) == 5


async def test_a_page_waits_for_nobody_who_is_at_the_same_rule(shop: Shop) -> None:
    await seed(shop.pool, RULES, NOON)
    async with transaction(shop.pool) as conn:
        await conn.execute("SELECT FROM rule_plan FOR UPDATE")
        assert not await plan_page(shop.pool, Rulebook())


async def test_rules_that_read_events_are_looked_at_by_them(shop: Shop) -> None:
    await seed(shop.pool, [CART, SURVEY], NOON)
    await shop.take(order("o1", NOON, "o1", "tea"))
    async with transaction(shop.pool) as conn:
        await conn.execute(
            "INSERT INTO fact SELECT home_id, 'event', 'survey answered', 's1', at, passive, body FROM fact LIMIT 1"
        )
    await forget_plans(shop.pool)
    await rule_edits.put(shop.pool, SURVEY.model_copy(update={"priority": 1}), "*", BY)
    await plan_all(shop.pool)
    assert await planned(shop.pool) == {customer("o1")}


async def test_a_family_is_for_life_also_for_files(pool: Pool) -> None:
    await seed(pool, [SURVEY], NOON)
    with pytest.raises(Misconfigured, match="for life"):
        await seed(pool, [SURVEY.model_copy(update={"family": "service"})], NOON + timedelta(days=1))


async def test_a_body_that_this_release_cannot_read_is_named(pool: Pool) -> None:
    await seed(pool, RULES, NOON)
    async with transaction(pool) as conn:
        await conn.execute("UPDATE rule SET body = '{}' WHERE name = 'recall'")
    with pytest.raises(Misconfigured, match=r"version \d+ of the rule recall"):
        await Rulebook().read(pool)
