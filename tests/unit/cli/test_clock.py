"""Advancing in lock step, against services made of plain state."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tern_cli.clock import HttpDoor, Standing, StoodStill, advance, look
from tern_common.clock import ManualClock
from tern_common.errors import Misconfigured, Refused, Transient

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


class MovedClock(ManualClock):
    """A manual clock that can be moved, and on which real time costs nothing."""

    def move_to(self, moment: datetime) -> None:
        assert moment > self._now, "time never goes back, and is not moved for nothing"
        self._now = moment

    async def sleep(self, seconds: float) -> None:
        self._monotonic += seconds
        await super().sleep(0)


class Service:
    """Decides what is due, `lag` looks after its moment came; its safe time follows as late."""

    def __init__(self, name: str, clock: MovedClock, due: list[timedelta], lag: int = 2) -> None:
        self.name = name
        self.clock = clock
        self.due = sorted(START + span for span in due)
        self.decided_at: list[tuple[datetime, datetime]] = []
        self.on_decision: Callable[[datetime], None] = lambda _: None
        self._lag = lag
        self._waited = 0
        self._safe = START

    async def standing(self) -> Standing | None:
        answer = Standing(self.due[0] if self.due else None, self._safe)
        self._waited += 1
        if self._waited > self._lag:
            self._waited = 0
            self._safe = self.clock.now()
            while self.due and self.due[0] <= self._safe:
                moment = self.due.pop(0)
                self.decided_at.append((moment, self._safe))
                self.on_decision(moment)
        return answer


class Without:
    """A service without timers."""

    name = "ingest"

    async def standing(self) -> Standing | None:
        return None


class Away:
    """A service that is down for a number of looks."""

    def __init__(self, name: str, looks: int, then: Standing | None = None) -> None:
        self.name = name
        self._looks = looks
        self._then = then

    async def standing(self) -> Standing | None:
        self._looks -= 1
        if self._looks >= 0:
            raise Transient("away")
        return self._then


async def test_each_moment_is_decided_at_that_moment_and_not_later() -> None:
    clock = MovedClock(START)
    service = Service("triggers", clock, [HOUR, 3 * HOUR, 3 * HOUR, 90 * 24 * HOUR])
    stops: list[datetime] = []
    reached = await advance([Without(), service], clock, 100 * 24 * HOUR, tell=stops.append)
    assert reached == clock.now() == START + 100 * 24 * HOUR
    assert service.decided_at == [(START + span, START + span) for span in (HOUR, 3 * HOUR, 3 * HOUR, 90 * 24 * HOUR)]
    assert stops == [START + HOUR, START + 3 * HOUR, START + 90 * 24 * HOUR, reached]


async def test_a_moment_beyond_the_target_is_left_alone() -> None:
    clock = MovedClock(START)
    service = Service("triggers", clock, [5 * HOUR])
    assert await advance([service], clock, HOUR) == START + HOUR
    assert service.decided_at == []


async def test_what_a_decision_makes_due_before_the_target_is_decided_too() -> None:
    clock = MovedClock(START)
    service = Service("triggers", clock, [HOUR])
    more = iter([START + 2 * HOUR, START + 4 * HOUR])
    service.on_decision = lambda _: service.due.extend(m for m in (next(more, None),) if m)
    await advance([service], clock, 3 * HOUR)
    assert [moment for moment, _ in service.decided_at] == [START + HOUR, START + 2 * HOUR]


async def test_time_waits_for_the_slowest_services_safe_time() -> None:
    clock = MovedClock(START)
    slow = Service("profile", clock, [], lag=50)
    await advance([Service("triggers", clock, [HOUR]), slow], clock, 2 * HOUR)
    assert (await slow.standing()) == Standing(None, START + 2 * HOUR)


async def test_what_was_due_already_is_decided_before_time_moves() -> None:
    clock = MovedClock(START)
    service = Service("triggers", clock, [-HOUR, HOUR])
    await advance([service], clock, 2 * HOUR)
    assert service.decided_at[0] == (START - HOUR, START)


@given(st.lists(st.integers(-5, 200), max_size=12), st.lists(st.integers(-5, 200), max_size=12), st.integers(1, 150))
def test_whatever_is_due_is_decided_in_order_and_on_time(one: list[int], other: list[int], hours: int) -> None:
    clock = MovedClock(START)
    services = [
        Service("triggers", clock, [n * HOUR for n in one], 1),
        Service("profile", clock, [n * HOUR for n in other], 3),
    ]
    asyncio.run(advance(services, clock, hours * HOUR))
    for service, hours_due in zip(services, (one, other), strict=True):
        expected = [START + n * HOUR for n in sorted(hours_due) if n <= hours]
        assert [moment for moment, _ in service.decided_at] == expected
        assert all(at == max(moment, START) for moment, at in service.decided_at)


async def test_a_timer_that_nobody_decides_is_named() -> None:
    clock = MovedClock(START)

    class Stuck:
        name = "triggers"

        async def standing(self) -> Standing | None:
            return Standing(START + HOUR, clock.now())

    with pytest.raises(StoodStill, match="triggers has something due at 2026-01-01T01:00:00") as told:
        await advance([Stuck()], clock, 2 * HOUR, patience_s=5)
    assert "safe time" not in str(told.value)
    assert clock.monotonic() < 10
    assert clock.now() == START + HOUR


async def test_a_safe_time_that_stands_still_is_named() -> None:
    clock = MovedClock(START)

    class Behind:
        name = "profile"

        async def standing(self) -> Standing | None:
            return Standing(None, START)

    with pytest.raises(StoodStill, match="profile's safe time stands at 2026-01-01T00:00:00"):
        await advance([Behind()], clock, HOUR, patience_s=5)


async def test_a_service_that_is_down_holds_the_clock_and_is_named() -> None:
    clock = MovedClock(START)
    with pytest.raises(StoodStill, match="triggers does not answer"):
        await advance([Away("triggers", 10_000)], clock, HOUR, patience_s=5)
    assert clock.now() == START


async def test_a_service_that_comes_back_lets_the_clock_go_on() -> None:
    clock = MovedClock(START)
    back = Away("triggers", 30, Standing(None, START + HOUR))
    assert await advance([back], clock, HOUR, patience_s=5) == START + HOUR


async def test_on_real_time_nothing_is_moved() -> None:
    clock = MovedClock(START)
    with pytest.raises(Misconfigured, match="real time"):
        await advance([Without(), Without()], clock, HOUR)
    assert clock.now() == START


async def test_a_door_reads_what_a_service_says() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        match request.url.host:
            case "none":
                return httpx.Response(404, json={"code": "not-found"})
            case "forbidden":
                return httpx.Response(403, json={"code": "forbidden", "detail": "No."})
            case "away":
                raise httpx.ConnectError("refused")
            case "broken":
                return httpx.Response(503, json={"code": "unavailable"})
        return httpx.Response(200, json={"next": None, "safe_time": "2026-01-01T01:00:00Z"})

    def door(host: str) -> HttpDoor:
        return HttpDoor(host, httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url=f"http://{host}"))

    view = await look([door("good"), door("none"), door("away"), door("broken")])
    assert view.standings == {"good": Standing(None, START + HOUR)}
    assert view.away == ["away", "broken"]
    with pytest.raises(Refused):
        await look([door("forbidden")])
