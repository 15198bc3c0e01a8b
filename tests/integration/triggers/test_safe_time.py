"""Safe time: the claims of identity and profile, believed once their ends are in this database (triggers.md §2)."""

from __future__ import annotations

import asyncio

import pytest
import structlog
from structlog.testing import capture_logs

from integration.triggers.shop import DAY, HOUR, MINUTE, NOON, Shop, cart, new_broker, profile
from support.running import running
from support.waiting import eventually
from tern_common.bus import Message, Place, Span
from tern_common.clock import ManualClock, SystemClock
from tern_common.consume import Batch, consume
from tern_common.db import connection
from tern_common.errors import Misconfigured
from tern_common.events import Claim, encode
from tern_common.fetching import Pacing
from tern_common.lanes import BACKFILL, LIVE, NOTHING_YET, UPSTREAM, Lane
from tern_common.progress import Claims
from tern_common.rejecting import Rejecting
from tern_common.topics import PROFILES, PROGRESS, REJECTED, RESOLVED, RESOLVED_BACKFILL
from tern_triggers.consumer import GROUP, TOPICS
from tern_triggers.domain.rounds import Safe
from tern_triggers.safety import SafeTime
from tern_triggers.store import positions

HERE = Place(RESOLVED, 0)


def claim(service: str, minutes: int, ends: dict[int, int], lane: Lane = LIVE, **more: dict[int, int]) -> Claim:
    """A claim at so many minutes past noon; `ends` of the live topic, `more` of others."""
    named = {RESOLVED if service == "identity" else PROFILES: ends, **more}
    return Claim(
        service=service,
        lane=lane,
        at=NOON + minutes * MINUTE,
        ends={topic: {str(partition): end for partition, end in of.items()} for topic, of in named.items()},
    )


async def safe(shop: Shop) -> Safe | None:
    async with connection(shop.pool) as conn:
        return await positions.safe(conn)


async def test_safe_time_is_what_both_hops_have_proved_and_never_falls(shop: Shop) -> None:
    claims = Claims(shop.bus)
    safe_time = SafeTime(shop.pool, claims, shop.positions, SystemClock())
    async with running(safe_time.follow(LIVE)):
        claims.believe(claim("identity", 10, {0: 0, 7: 0}))
        assert await safe(shop) is None, "profile has not spoken"
        claims.believe(claim("profile", 8, {0: 0}))
        await eventually(lambda: _is(shop, 8), 10, "the lesser of the two")
        claims.believe(claim("profile", 9, {0: 0}))
        await eventually(lambda: _is(shop, 9), 10, "the next claim")
    await shop.safe(NOON)
    assert await _is(shop, 9)


async def _is(shop: Shop, minutes: int) -> bool:
    found = await safe(shop)
    return found is not None and found.live == NOON + minutes * MINUTE


async def test_nothing_is_safe_in_all_lanes_before_history_was_claimed_and_then_the_lane_behind_counts(
    shop: Shop,
) -> None:
    claims = Claims(shop.bus)
    safe_time = SafeTime(shop.pool, claims, shop.positions, SystemClock())
    async with running(safe_time.follow(LIVE), safe_time.follow(BACKFILL)):
        for service in UPSTREAM:
            claims.believe(claim(service, 10, {0: 0}))
        await eventually(lambda: _is(shop, 10), 10, "the live lane")
        assert await safe(shop) == Safe(NOON + 10 * MINUTE, NOTHING_YET)
        for service in UPSTREAM:
            claims.believe(claim(service, 4, {0: 0}, BACKFILL))
        await eventually(lambda: _both(shop, 10, 4), 10, "the backfill lane is behind")
        for service in UPSTREAM:
            claims.believe(claim(service, 30, {0: 0}, BACKFILL))
        await eventually(lambda: _both(shop, 10, 10), 10, "the live lane is behind")
    assert (safe_time.reached(LIVE), safe_time.reached(BACKFILL)) == (NOON + 10 * MINUTE, NOON + 30 * MINUTE)


async def _both(shop: Shop, live: int, everything: int) -> bool:
    return await safe(shop) == Safe(NOON + live * MINUTE, NOON + everything * MINUTE)


async def test_history_that_is_not_in_yet_holds_its_own_lane_only(shop: Shop) -> None:
    claims = Claims(shop.bus)
    history = {RESOLVED_BACKFILL: {0: 5}}
    claims.believe(claim("identity", 9, {0: 0}, BACKFILL, **history))
    claims.believe(claim("profile", 9, {0: 0}, BACKFILL))
    safe_time = SafeTime(shop.pool, claims, shop.positions, SystemClock())
    async with running(safe_time.follow(LIVE), safe_time.follow(BACKFILL)):
        for service in UPSTREAM:
            claims.believe(claim(service, 10, {0: 0}))
        await eventually(lambda: _is(shop, 10), 10, "the live lane does not wait for it")
        assert safe_time.reached(BACKFILL) is None
        await shop.handler.apply(Batch([], {Place(RESOLVED_BACKFILL, 0): Span(0, 5)}))
        await eventually(lambda: _both(shop, 10, 9), 10, "it is in")


async def test_history_counts_as_seen_once_the_membership_changes_it_brought_are_in(shop: Shop) -> None:
    """They travel on the live topic, so a backfill claim names both."""
    claims = Claims(shop.bus)
    claims.believe(claim("identity", 9, {0: 3}, BACKFILL, **{RESOLVED_BACKFILL: {0: 0}}))
    claims.believe(claim("profile", 9, {0: 0}, BACKFILL))
    safe_time = SafeTime(shop.pool, claims, shop.positions, SystemClock())
    async with running(safe_time.follow(BACKFILL)):
        await shop.handler.apply(Batch([], {Place(RESOLVED, 0): Span(0, 2)}))
        assert safe_time.reached(BACKFILL) is None
        await shop.handler.apply(Batch([], {Place(RESOLVED, 0): Span(2, 3)}))
        await eventually(lambda: safe_time.reached(BACKFILL) == NOON + 9 * MINUTE, 10, "all of it is in")


async def test_a_claim_is_believed_once_everything_below_its_ends_is_applied(shop: Shop) -> None:
    claims = Claims(shop.bus)
    claims.believe(claim("identity", 10, {0: 2}))
    claims.believe(claim("profile", 10, {0: 1}))
    async with running(SafeTime(shop.pool, claims, shop.positions, SystemClock()).follow(LIVE)):
        await shop.take(cart("ann", NOON, "m1", "tea"))
        await shop.meet(profile("ann"))
        assert await safe(shop) is None
        await shop.take(cart("ann", NOON, "m2", "tea"))
        await eventually(lambda: _is(shop, 10), 10, "all of it is in")


async def test_safe_time_moves_on_though_newer_claims_are_always_ahead(shop: Shop) -> None:
    claims = Claims(shop.bus)
    for number, service in enumerate(("identity", "profile")):
        claims.believe(claim(service, 10 + number, {0: 0}))
    async with running(SafeTime(shop.pool, claims, shop.positions, SystemClock()).follow(LIVE)):
        await eventually(lambda: _is(shop, 10), 10, "the first claims")
        claims.believe(claim("identity", 20, {0: 1}))
        await shop.take(cart("ann", NOON, "m1", "tea"))
        claims.believe(claim("identity", 30, {0: 99}))
        await eventually(lambda: _is(shop, 11), 10, "the claim it was waiting for")


async def test_safe_time_that_stands_still_is_an_alarm_that_names_the_missing_claim(shop: Shop) -> None:
    claims = Claims(shop.bus)
    claims.believe(claim("identity", 10, {0: 5}))
    claims.believe(claim("profile", 10, {0: 0}))
    structlog.reset_defaults()
    with capture_logs() as logs:
        async with running(SafeTime(shop.pool, claims, shop.positions, ManualClock()).follow(LIVE)):
            await eventually(lambda: any(log["event"] == "safe time stands still" for log in logs), 10, "an alarm")
    alarm = next(log for log in logs if log["event"] == "safe time stands still")
    assert alarm["claims"] == ["identity"]


async def test_claims_that_come_no_more_are_an_alarm_that_names_who_is_silent(shop: Shop) -> None:
    claims, clock = Claims(shop.bus), ManualClock()
    claims.believe(claim("profile", 10, {0: 0}))
    structlog.reset_defaults()

    def told() -> list[str] | None:
        clock.advance(MINUTE)
        return next((log["claims"] for log in logs if log["event"] == "safe time stands still"), None)

    with capture_logs() as logs:
        async with running(SafeTime(shop.pool, claims, shop.positions, clock).follow(LIVE)):
            assert await eventually(told, 10, "an alarm") == ["identity"]


async def test_a_position_follows_spans_and_never_leaps_over_what_was_not_read(shop: Shop) -> None:
    async def apply(start: int, end: int) -> int | None:
        await shop.handler.apply(Batch([], {HERE: Span(start, end)}))
        return await shop.position()

    assert await apply(0, 5) == 5, "gaps in the log count as read"
    assert await apply(3, 4) == 5, "a redelivery moves nothing back"
    assert await apply(4, 9) == 9
    structlog.reset_defaults()
    with capture_logs() as logs:
        assert await apply(12, 20) == 9, "what lies between was not read here"
    assert [(log["event"], log["partition"]) for log in logs] == [("records are missing: rewind the group", 0)]
    assert await apply(9, 12) == 12


async def test_a_partition_begins_where_its_log_begins(shop: Shop) -> None:
    await shop.bus.producer.send([Message(RESOLVED, b"k", cart("ann", NOON, f"m{n}", "tea")) for n in range(20)])
    (filled,) = (place for place in shop.broker.places(RESOLVED) if shop.broker.partition(place).end)
    shop.broker.truncate(filled, 15)
    await shop.positions.raise_to_starts(TOPICS)
    async with connection(shop.pool) as conn:
        found = await positions.of_topics(conn, [RESOLVED])
    assert found == {place: 15 if place == filled else 0 for place in shop.broker.places(RESOLVED)}


async def test_records_lost_to_retention_raise_the_position_with_an_alarm(shop: Shop) -> None:
    await shop.positions.raise_to_starts(TOPICS)
    await shop.bus.producer.send([Message(RESOLVED, b"k", b"{}")] * 20)
    (filled,) = (place for place in shop.broker.places(RESOLVED) if shop.broker.partition(place).end)
    shop.broker.truncate(filled, 15)
    structlog.reset_defaults()
    with capture_logs() as logs:
        await shop.positions.raise_to_starts(TOPICS)
        await shop.positions.raise_to_starts(TOPICS)
    assert [(log["partition"], log["records"]) for log in logs] == [(filled.partition, 15)]


async def test_a_position_past_the_end_of_the_log_is_an_error_that_says_what_to_do(shop: Shop) -> None:
    """Kafka was lost, or the topic made anew: what the new log brings has not been seen."""
    await shop.positions.raise_to_starts(TOPICS)
    await shop.take(cart("ann", NOON, "m1", "tea"))
    again = Shop(shop.pool, new_broker())
    with pytest.raises(Misconfigured, match=r"partitions \[0\].*TRUNCATE triggers.position"):
        await again.positions.raise_to_starts(TOPICS)
    with pytest.raises(Misconfigured):
        await again.take()


async def test_a_topic_that_is_recreated_meanwhile_raises_no_safe_time(shop: Shop) -> None:
    claims, again = Claims(shop.bus), Shop(shop.pool, new_broker())
    safe_time = SafeTime(shop.pool, claims, again.positions, SystemClock())
    for service in ("identity", "profile"):
        claims.believe(claim(service, 10, {0: 0}))
    async with asyncio.TaskGroup() as group:
        following = group.create_task(_ends_in_misconfigured(safe_time))
        await eventually(lambda: _is(shop, 10), 10, "the claims of the old log")
        await shop.take(cart("ann", NOON, "m1", "tea"))
        claims.believe(claim("identity", 20, {0: 0}))
        claims.believe(claim("profile", 20, {0: 0}))
        assert await asyncio.wait_for(following, 10)
    assert await _is(shop, 10)


async def _ends_in_misconfigured(safe_time: SafeTime) -> bool:
    with pytest.raises(Misconfigured):
        await safe_time.follow(LIVE)
    return True


async def test_records_become_decisions_and_junk_is_rejected(shop: Shop) -> None:
    """The whole process but for HTTP, on the memory bus: consume, follow claims, decide, publish, relay."""
    claims = Claims(shop.bus)
    clock = SystemClock()
    consumer = await shop.bus.subscribe(GROUP, TOPICS)
    loops = (
        consume(consumer, shop.handler, Rejecting(shop.bus.producer, "triggers"), clock, pace=Pacing(100)),
        claims.follow(),
        SafeTime(shop.pool, claims, shop.positions, clock).follow(LIVE),
    )
    async with running(*loops):
        await shop.bus.producer.send(
            [
                Message(PROFILES, b"k", profile("ann")),
                Message(RESOLVED, b"k", cart("ann", NOON, "m1", "tea")),
                Message(RESOLVED, b"k", b"junk"),
            ]
        )
        ends = {topic: await shop.bus.log.ends(topic) for topic in TOPICS}
        for service, topic in (("identity", RESOLVED), ("profile", PROFILES)):
            one = claim(service, 0, ends[topic])
            shop.clock.advance(HOUR)
            sent = Claim(service=one.service, lane="live", at=NOON + 2 * HOUR, ends=one.ends)
            await shop.bus.producer.send([Message(PROGRESS, b"k", encode(sent))])
        await eventually(lambda: safe(shop), 10, "safe time")
        assert [await shop.timing.look(), await shop.timing.look()] == [1, 0]
    assert len(shop.published()) == 1
    assert [record.header("reason") for record in shop.bus.sent(REJECTED)] == ["not-a-resolved-record"]
    assert DAY > HOUR
