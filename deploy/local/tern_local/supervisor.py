"""Keeps programs up: starts them, waits until they are ready, starts them again when they die. Knows none of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tern_common.clock import Clock
from tern_local.children import Child, Failed, Family, Program

Say = Callable[[str], None]

_STARTING_POLL_S = 0.03
_RUNNING_POLL_S = 0.1
_STARTING_LIMIT_S = 120.0
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 10.0
# A process that lived this long starts again at once.
_STEADY_S = 30.0


class Kept(Protocol):
    """Something that is to be kept up."""

    @property
    def name(self) -> str: ...

    def program(self) -> Program: ...

    async def is_ready(self) -> bool: ...


class Supervisor:
    """One per stack. `changed` is called whenever a process took another's place. `longest_pause_s`: between a death
    and the next start, for whoever dies again and again."""

    def __init__(self, family: Family, clock: Clock, say: Say) -> None:
        self._family = family
        self._clock = clock
        self._say = say
        self._children: dict[str, Child] = {}
        self._resting: set[str] = set()
        self.changed: Callable[[], None] = lambda: None
        self.longest_pause_s = _LONGEST_PAUSE_S

    def pids(self) -> dict[str, int]:
        """Process ids by name."""
        return {name: child.pid for name, child in self._children.items()}

    async def start(self, kept: Kept) -> None:
        """Starts it and returns at once; `ready` waits."""
        self._children[kept.name] = await self._family.start(kept.program())

    async def ready(self, kept: Kept) -> None:
        """Waits until it is ready. Raises `Failed` when it ends instead, or takes more than two minutes."""
        child = self._children[kept.name]
        deadline = self._clock.monotonic() + _STARTING_LIMIT_S
        while not await kept.is_ready():
            if child.ended is not None:
                raise Failed(child.obituary())
            if self._clock.monotonic() > deadline:
                raise Failed(f"{kept.name} is not ready after {_STARTING_LIMIT_S:.0f} s; its log is {child.log}")
            await self._clock.sleep(_STARTING_POLL_S)

    async def rest(self, *names: str, patience_s: float = 20) -> None:
        """Stops these together, and leaves them stopped until `wake`."""
        self._resting.update(names)
        await self._family.stop([self._children[name] for name in names if name in self._children], patience_s)

    async def wake(self, kept: Kept) -> None:
        """Starts it again and waits until it is ready."""
        await self.start(kept)
        self._resting.discard(kept.name)
        await self.ready(kept)
        self.changed()

    async def keep(self, kept: Kept) -> None:
        """Starts it again whenever it dies, with a growing pause. Endless."""
        pause_s = _FIRST_PAUSE_S
        while True:
            since = self._clock.monotonic()
            child = await self._death(kept.name)
            if self._clock.monotonic() - since > _STEADY_S:
                pause_s = _FIRST_PAUSE_S
            self._family.forget(child)
            self._say(f"{kept.name} ended with {child.ended}; starting it again (log: {child.log})")
            await self._clock.sleep(pause_s)
            pause_s = min(pause_s * 2, self.longest_pause_s)
            if kept.name not in self._resting:
                await self._again(kept)

    async def _death(self, name: str) -> Child:
        """The child, once it has ended without being asked to."""
        while (child := self._children[name]).ended is None or name in self._resting:
            await self._clock.sleep(_RUNNING_POLL_S)
        return child

    async def _again(self, kept: Kept) -> None:
        await self.start(kept)
        self.changed()
        try:
            await self.ready(kept)
        except Failed:
            return  # seen as its death, once more
        self._say(f"{kept.name} is back, process {self._children[kept.name].pid}")
