"""Who may send: the write key, the page it is used on, and how often. Answers from memory; knows no body and no SQL.

A caller with a good key outside the body is let in whatever others do from the same address. An address whose requests
are refused too often is put off before anything else is done for it.
"""

from __future__ import annotations

from collections import OrderedDict

from tern_common.clock import Clock
from tern_common.errors import Refused
from tern_ingest import meters
from tern_ingest.answers import OTHER_ORIGIN
from tern_ingest.callers import Caller
from tern_ingest.domain import origins
from tern_ingest.domain.addresses import neighbourhood
from tern_ingest.domain.keys import WriteKey
from tern_ingest.domain.policy import Policy
from tern_ingest.domain.rates import Rate, rate
from tern_ingest.domain.tallies import Tallies
from tern_ingest.keyring import Keyring

_NOT_YET = float("-inf")
_BLAMED = frozenset({400, 401, 403, 408, 413, 415})


class Gate:
    """The limits of one process. Keys that nobody knows take no place in it; failing addresses a bounded one.

    `tallies`: where a refusal is counted for the source whose key was shown.
    """

    def __init__(self, keyring: Keyring, clock: Clock, policy: Policy, tallies: Tallies) -> None:
        self._keyring = keyring
        self._clock = clock
        self._tallies = tallies
        self._burst_s = policy.rates.burst_s
        self._usual = {
            "server": rate(policy.rates.server_events_per_s, self._burst_s),
            "browser": rate(policy.rates.browser_events_per_s, self._burst_s),
        }
        self._own: dict[float, Rate] = {}
        self._taken: dict[str, float] = {}
        self._failing = Failing(rate(policy.rates.failures_per_s, self._burst_s), policy.rates.addresses)
        self._in_vain = Failing(rate(policy.rates.long_failures_per_s, self._burst_s), policy.rates.addresses)

    async def admit(self, written: str, caller: Caller) -> WriteKey:
        """The key, and one event of its rate. Raises `Refused`: 401, 403, 429, 503."""
        key = await self.known(written, caller)
        now = self._clock.monotonic()
        taken, allowed = self._taken.get(key.key_id, _NOT_YET), self._rate(key)
        wait_s = allowed.wait_s(taken, now)
        if wait_s:
            meters.LIMITED.labels("key").inc()
            refused = Refused(429, "too-many-events", "this write key sends faster than it may; try again", wait_s)
            raise self.noted(refused, key)
        self._taken[key.key_id] = allowed.taken(taken, now)
        return key

    def owe(self, key: WriteKey, events: int) -> None:
        """What came with the one that was admitted: a batch is never cut, but the next request waits for it."""
        if events > 0:
            taken = self._taken.get(key.key_id, _NOT_YET)
            self._taken[key.key_id] = self._rate(key).taken(taken, self._clock.monotonic(), events)

    async def known(self, written: str, caller: Caller) -> WriteKey:
        """The key that is shown, on a page where it may be. Raises `Refused`: 401, 403, 429 for the address, 503."""
        key = self._keyring.known(written)
        if key is None:
            self._check_revoked(written)  # first: it costs no read, and 401 is final to an SDK, while 429 is not
            self.check(caller)
            key = await self._keyring.identify(written)
        if not self.lets_in(key, caller.origin):
            refused = Refused(403, OTHER_ORIGIN, "the source of this write key takes no events from this page")
            raise self.noted(refused, key)
        return key

    def lets_in(self, key: WriteKey, origin: bytes | None) -> bool:
        """Whether the key's source takes events from that page."""
        return not key.origins or origins.allowed(key.origins, None if origin is None else origin.decode("latin-1"))

    def may_ask(self, written: str | None, origin: bytes | None) -> bool:
        """Whether a browser is told that it may send: a preflight has no key, but where its address names one."""
        key = self._keyring.known(written) if written else None
        return key is None or self.lets_in(key, origin)

    def check(self, caller: Caller) -> None:
        """Raises `Refused` 429 while too many requests of the address have failed."""
        self._put_off(self._failing.wait_s(caller.address, self._clock.monotonic()))

    def check_long(self, caller: Caller, key: WriteKey | None) -> None:
        """Before a long body is worked on. Raises `Refused` 429 while too many of the address were in vain.

        They cost a thousand times what they take to send. A server key's are always read: no stranger has one.
        """
        if key is None or key.kind == "browser":
            self._put_off(self._in_vain.wait_s(caller.address, self._clock.monotonic()))

    def blame(self, caller: Caller, refused: Refused) -> None:
        """Counts a refusal against the address, if it was the caller's fault."""
        if refused.status in _BLAMED:
            self._failing.add(caller.address, self._clock.monotonic())

    def blame_long(self, caller: Caller) -> None:
        """Counts a long body of which nothing could be taken."""
        self._in_vain.add(caller.address, self._clock.monotonic())

    def _put_off(self, wait_s: int) -> None:
        if wait_s:
            meters.LIMITED.labels("address").inc()
            raise Refused(429, "too-many-failures", "too many requests from this address were refused", wait_s)

    def noted(self, refused: Refused, key: WriteKey | None) -> Refused:
        """The refusal, counted for its source where the key is known: whose it was is the first question."""
        if key is not None:
            self._tallies.refuse(refused.code, key.source_id, self._clock.now())
        return refused

    def _check_revoked(self, written: str) -> None:
        """Raises `Refused` 401 for a key that was good once: its source is known, and no read can bring it back."""
        revoked = self._keyring.revoked(written)
        if revoked is not None:
            refused = Refused(401, "revoked-write-key", "this write key was revoked; put a live one in its place")
            raise self.noted(refused, revoked)

    def _rate(self, key: WriteKey) -> Rate:
        if key.events_per_s is None:
            return self._usual[key.kind]
        known = self._own.get(key.events_per_s)
        if known is None:
            known = self._own[key.events_per_s] = rate(key.events_per_s, self._burst_s)
        return known


class Failing:
    """Addresses whose requests are refused, each with how much. Beyond `most` the oldest failure is forgotten."""

    def __init__(self, allowed: Rate, most: int) -> None:
        self._allowed = allowed
        self._most = most
        self._taken: OrderedDict[str, float] = OrderedDict()

    def wait_s(self, address: str | None, now: float) -> int:
        """Whole seconds until the address may fail again."""
        if not self._taken or address is None:
            return 0
        return self._allowed.wait_s(self._taken.get(neighbourhood(address), _NOT_YET), now)

    def add(self, address: str | None, now: float) -> None:
        """One more."""
        if address is None:
            return
        whose = neighbourhood(address)
        self._taken[whose] = self._allowed.taken(self._taken.get(whose, _NOT_YET), now)
        self._taken.move_to_end(whose)
        if len(self._taken) > self._most:
            self._taken.popitem(last=False)
