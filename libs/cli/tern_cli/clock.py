"""Moving the virtual clock in lock step: to the next moment at which something is due, and on only once it was decided.

A clock that simply ran fast would turn every second of lag into days, and all that waits would expire. Knows services
only as doors that say what they wait for and up to which moment they know everything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

import httpx

from tern_cli.platform import read_answer
from tern_common.errors import Misconfigured, Refused, Transient

PATIENCE_S = 60.0
_POLL_S = 0.05
_NOT_FOUND = 404


class Standing(NamedTuple):
    """A service's earliest timer, and the moment up to which it knows everything; None where it has no such thing."""

    next: datetime | None
    safe_time: datetime | None


class Door(Protocol):
    """A service, as the clock sees it."""

    @property
    def name(self) -> str: ...

    async def standing(self) -> Standing | None:
        """None when the service has no timers. Raises `Transient` when it is away."""
        ...


class MovableClock(Protocol):
    """The virtual clock: domain time can be moved, waiting is real."""

    def now(self) -> datetime: ...
    def move_to(self, moment: datetime) -> None: ...
    def monotonic(self) -> float: ...
    async def sleep(self, seconds: float) -> None: ...


class StoodStill(Transient):
    """Nothing moved for as long as one was willing to wait; the message names what stands still."""


class HttpDoor:
    """`GET /v1/clock/next` of a service."""

    def __init__(self, name: str, http: httpx.AsyncClient) -> None:
        self._name = name
        self._http = http

    @property
    def name(self) -> str:
        return self._name

    async def standing(self) -> Standing | None:
        try:
            said = read_answer(self._name, await self._http.get("/v1/clock/next"))
        except httpx.TransportError:
            raise Transient(f"{self._name} does not answer") from None
        except Refused as refused:
            if refused.status == _NOT_FOUND:
                return None
            raise
        return Standing(_moment(said.get("next")), _moment(said.get("safe_time")))


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


class _View(NamedTuple):
    """All services at one look. `away`: those that did not answer."""

    standings: Mapping[str, Standing]
    away: Sequence[str]

    def next(self) -> datetime | None:
        return min((s.next for s in self.standings.values() if s.next), default=None)

    def reached(self, moment: datetime) -> bool:
        return not self.away and all(s.safe_time is None or s.safe_time >= moment for s in self.standings.values())

    def progress(self, goal: datetime) -> object:
        """Two looks between which nothing moved towards `goal` have equal progress."""
        return {
            name: (standing.next, standing.safe_time and min(standing.safe_time, goal))
            for name, standing in self.standings.items()
        }


async def look(doors: Sequence[Door]) -> _View:
    """Asks every service; those without timers are left out."""
    standings: dict[str, Standing] = {}
    away: list[str] = []
    for door in doors:
        try:
            standing = await door.standing()
        except Transient:
            away.append(door.name)
        else:
            if standing:
                standings[door.name] = standing
    return _View(standings, away)


async def advance(
    doors: Sequence[Door],
    clock: MovableClock,
    by: timedelta,
    *,
    patience_s: float = PATIENCE_S,
    tell: Callable[[datetime], None] | None = None,
) -> datetime:
    """Moves domain time on by `by`, stopping at every moment at which something is due. Returns the time reached.

    All that is due up to then has been decided, knowing all that was acknowledged before. `tell` hears of every stop.
    Raises `StoodStill` when nothing moves for `patience_s` real seconds, and `Misconfigured` on real time.
    """
    start = clock.now()
    target = start + by
    waiting = _Waiting(clock, patience_s)
    agreed = False
    while True:
        view = await look(doors)
        if not view.standings and not view.away:
            raise Misconfigured("this platform runs on real time: its clock cannot be moved")
        if not view.reached(start):  # what is on its way may ask for a stop that nobody knows of yet
            waiting.go_on(view, start)
            await clock.sleep(_POLL_S)
            continue
        due = view.next()
        stop = target if due is None or due > target else due
        if not view.away and clock.now() < stop:
            clock.move_to(stop)
            (tell or _nothing)(stop)
            agreed = False
        elif stop == target and (due is None or due > target) and view.reached(target):
            if agreed:  # a second look, since a service may read its timers before its safe time
                return target
            agreed = True
            continue
        else:
            agreed = False
        waiting.go_on(view, stop)
        await clock.sleep(_POLL_S)


def _nothing(_: datetime) -> None: ...


class _Waiting:
    """Patience that starts anew whenever anything moves."""

    def __init__(self, clock: MovableClock, patience_s: float) -> None:
        self._clock = clock
        self._patience_s = patience_s
        self._last: object = None
        self._since = clock.monotonic()

    def go_on(self, view: _View, goal: datetime) -> None:
        now = self._clock.monotonic()
        seen = (goal, view.progress(goal))
        if seen != self._last:
            self._last, self._since = seen, now
        elif now - self._since > self._patience_s:
            raise StoodStill(f"nothing moved for {self._patience_s:g} s: {'; '.join(_reasons(view, goal))}")


def _reasons(view: _View, goal: datetime) -> list[str]:
    """Who holds the clock, as sentences."""
    said = [f"{name} does not answer" for name in view.away]
    for name, standing in view.standings.items():
        if standing.safe_time and standing.safe_time < goal:
            said.append(f"{name}'s safe time stands at {standing.safe_time.isoformat()}, before {goal.isoformat()}")
        if standing.next and standing.next <= goal:
            said.append(f"{name} has something due at {standing.next.isoformat()} and does not decide it")
    return said or [f"no service says why {goal.isoformat()} is not reached"]
