"""The live write keys in memory, so that no request reads the database. Knows neither HTTP nor SQL."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from tern_common.clock import Clock
from tern_common.errors import Refused, Transient
from tern_ingest.domain import keys
from tern_ingest.domain.keys import WriteKey
from tern_ingest.domain.policy import Policy
from tern_ingest.domain.vouching import SourceRule

_NEVER = float("-inf")

Load = Callable[[], Awaitable[list[WriteKey]]]


class Keyring:
    """A copy of all live keys, read again every few seconds, and at once (but seldom) for a key that is not in it.

    Of the last revoked ones it knows whose they were.
    """

    def __init__(self, load: Load, clock: Clock, policy: Policy) -> None:
        self._load = load
        self._clock = clock
        self._policy = policy.keys
        self._waits = policy.waits
        self._keys: Mapping[str, WriteKey] = {}
        self._revoked: Mapping[str, WriteKey] = {}
        self._shown: dict[str, WriteKey] = {}
        self._read_at = self._tried_at = _NEVER
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def follow(self) -> None:
        """Reads all keys, for ever. Raises `Transient`."""
        while True:
            await self.refresh()
            await self._clock.sleep(self._policy.refresh_s)

    async def refresh(self) -> None:
        """Reads all keys once. Raises `Transient`."""
        started = self._tried_at = self._clock.monotonic()
        found = await self._load()
        if started >= self._read_at:  # else a read that began later has already ended
            self._keys = {key.key_id: key for key in found if not key.revoked}
            self._revoked = {key.key_id: key for key in found if key.revoked}
            self._shown, self._read_at = {}, started

    def known(self, written: str) -> WriteKey | None:
        """The live key that `written` is, as far as memory tells; None when the keys would have to be read for it.

        A good key is hashed once between two reads: there are no more of them than there are keys.
        """
        shown = self._shown.get(written)
        if shown is not None and self._age() <= self._policy.stale_s:
            return shown
        presented = keys.read(written)
        key = self._keys.get(presented.key_id) if presented else None
        if presented is None or key is None or self._age() > self._policy.stale_s:
            return None
        if not keys.matches(key, presented):
            return None
        self._shown[written] = key
        return key

    def revoked(self, written: str) -> WriteKey | None:
        """The key that `written` was until it was revoked, as far as memory tells."""
        presented = keys.read(written)
        key = self._revoked.get(presented.key_id) if presented else None
        return key if presented and key and keys.matches(key, presented) else None

    async def rules(self) -> Mapping[str, SourceRule]:
        """What each source with a live key says about its users, read anew. Raises `Transient`."""
        await self.refresh()
        return {key.source_id: key.rule for key in self._keys.values()}

    async def identify(self, written: str) -> WriteKey:
        """The live key that `written` is. Raises `Refused`: 401 when there is none, 503 when that cannot be known."""
        presented = keys.read(written)
        if presented is None:
            raise _unknown()
        key = self._keys.get(presented.key_id)
        if key is None or self._age() > self._policy.stale_s:
            await self._read_anew()
            key = self._keys.get(presented.key_id)
        if key is None or not keys.matches(key, presented):
            raise _unknown()
        return key

    async def _read_anew(self) -> None:
        """Waits for a read that began after now. All who wait share it; raises `Refused` when it fails."""
        if self._waiting >= self._policy.waiting:
            raise self._unavailable()
        self._waiting += 1
        try:
            async with asyncio.timeout(self._waits.keys_s):
                await self._share_a_read(self._clock.monotonic())
        except (Transient, TimeoutError):
            raise self._unavailable() from None
        finally:
            self._waiting -= 1

    async def _share_a_read(self, asked: float) -> None:
        async with self._turn:
            if self._read_at > asked:
                return
            since = self._clock.monotonic() - self._tried_at
            await self._clock.sleep(max(0.0, self._policy.unknown_refresh_s - since))
            await self.refresh()

    def _age(self) -> float:
        return self._clock.monotonic() - self._read_at

    def _unavailable(self) -> Refused:
        return Refused(
            503, "write-keys-unavailable", "write keys cannot be checked now; try again", self._waits.retry_after_s
        )


def _unknown() -> Refused:
    return Refused(401, "unknown-write-key", "the write key is not known or was revoked")
