"""The protocol broken on purpose, one rule at a time, and the weaker forms of it that were thought of."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Literal

from unit.identity.interleavings.machine import Key, Lock, Read, Statement, View
from unit.identity.interleavings.protocol import Part, Settling


class WithoutGroupLock(Settling):
    """Reads the groups without locking them."""

    def group_lock(self, nodes: Sequence[int]) -> Statement:
        return _unlocked(super().group_lock(nodes))


class WithoutSecondLook(Settling):
    """Goes on with whatever is in the groups that it locked, and with its own nodes."""

    looks_again = False

    def lock_groups(self, nodes: Sequence[int], also: frozenset[int]) -> Part:
        locked = yield from super().lock_groups(nodes, also)
        missing = sorted(set(nodes) - locked.keys())
        if not missing:
            return locked
        rows = yield Read("groups: own nodes", lambda view: tuple((node, view["node", node]) for node in missing))
        return locked | dict(rows)


class WithoutLockOfFiledBrowsers(Settling):
    """A new home does not lock the browsers that it is filed under."""

    def filed(self) -> set[int]:
        return set()


class WithoutLockOfFiledGroups(Settling):
    """A new home does not lock the groups that it is filed under."""

    def strong(self) -> set[int]:
        return self.facts.strong() | self.unblock


class WithoutBrowserLock(Settling):
    """Reads and writes holders without locking browsers first."""

    def lock_browsers(self, doubtful: set[int], filed: set[int]) -> Part:
        browsers = [("node", node) for node in sorted(doubtful | filed)]
        return (yield Read("browsers: read", lambda view: _rows(view, browsers)))


class ReadsClaimsFirst(Settling):
    """Asks who holds a browser before locking it."""

    def rehold(self, moved: set[int], crowd: set[int]) -> Part:
        doubtful = yield from self.doubtful(moved | crowd)
        now = yield from self.holders(doubtful)
        if not doubtful | self.filed():
            return set()
        rows = yield from self.lock_browsers(doubtful, self.filed())
        return (yield from self.write_holders(now, {key[1]: row for key, row in rows}, moved))


class ReadsPlacesFirst(Settling):
    """Reads what a home is filed under before locking the home."""

    def replace(self, touched: Collection[int]) -> Part:
        if not touched and not self.facts.homes:
            return
        found = yield Read("homes: read", lambda view: _rows(view, self.homes_in_order(view, touched)))
        stands = yield from self.standpoints({key[1]: row for key, row in found})
        yield from self.lock_homes(touched)
        yield from self.place_homes({key[1]: row for key, row in found}, stands)


class WithoutHomeLock(Settling):
    """Reads the homes without locking them."""

    def lock_homes(self, touched: Collection[int]) -> Part:
        found = yield Read("homes: read", lambda view: _rows(view, self.homes_in_order(view, touched)))
        return {key[1]: row for key, row in found}


class LocksHomesAsTheyCome(Settling):
    """Locks the homes of a node in the order in which they name it, not by their own number."""

    def homes_in_order(self, view: View, touched: Collection[int]) -> list[Key]:
        homes = super().homes_in_order(view, touched)
        return sorted(homes, key=lambda key: [node in touched for node in view[key].nodes], reverse=True)


class FreesWithoutPartners(Settling):
    """A node leaves quarantine without the locks of its partners' groups."""

    locks_partners = False


class WaitsForRowsOfNewGroups(Settling):
    """A split waits for the row of the group that it makes."""

    skips_locked = False


class SharesForNewHomes(Settling):
    """Who brings nothing but new homes locks their groups and browsers FOR SHARE, and adds only new ones."""

    when_it_exists: Literal["new", "unless"] = "unless"

    def group_lock(self, nodes: Sequence[int]) -> Statement:
        return self.shared(super().group_lock(nodes))

    def lock_browsers(self, doubtful: set[int], filed: set[int]) -> Part:
        whole = Lock("browsers: lock (_LOCK)", lambda _: [("node", node) for node in sorted(doubtful | filed)])
        return (yield self.shared(whole))

    def shared(self, lock: Statement) -> Statement:
        assert isinstance(lock, Lock)
        return lock._replace(mode="update" if self.facts.strong() | self.unblock else "share")


class SharesAndInserts(SharesForNewHomes):
    """The same, with the insertion as it is: two may bring one home."""

    when_it_exists = "new"


class SharesForClaims(SharesForNewHomes):
    """Claims, too, only take FOR SHARE on their groups."""

    def group_lock(self, nodes: Sequence[int]) -> Statement:
        lock = Settling.group_lock(self, nodes)
        assert isinstance(lock, Lock)
        return lock if self.facts.pairs or self.facts.blocked or self.unblock else lock._replace(mode="share")

    def shared(self, lock: Statement) -> Statement:
        assert isinstance(lock, Lock)
        return lock._replace(mode="update" if self.facts.claims or self.facts.pairs else "share")


class SharesInASecondPass(SharesForNewHomes):
    """Browsers of claims FOR UPDATE, then those of new homes FOR SHARE: two statements, each in order."""

    def lock_browsers(self, doubtful: set[int], filed: set[int]) -> Part:
        first = yield Lock("browsers: lock", lambda _: [("node", node) for node in sorted(doubtful)])
        rest = sorted(filed - doubtful)
        second = yield Lock("browsers: share", lambda _: [("node", node) for node in rest], "share")
        return (*first, *second)


class SharesAfterwards(WithoutLockOfFiledBrowsers):
    """The lock of a new home's browsers is taken when it has been placed."""

    when_it_exists = "unless"

    def replace(self, touched: Collection[int]) -> Part:
        yield from super().replace(touched)
        filed = [("node", node) for node in sorted(Settling.filed(self))]
        yield Lock("browsers: share, afterwards", lambda _: filed, "share")


def _unlocked(lock: Statement) -> Statement:
    assert isinstance(lock, Lock)
    pick = lock.pick
    return Read(lock.label.replace("lock", "read"), lambda view: _rows(view, pick(view)))


def _rows(view: View, keys: Iterable[Key]) -> tuple[tuple[Key, Any], ...]:
    return tuple((key, view[key]) for key in keys)
