"""A browser begins a new era while events are filed under it: the steps of both sides.

Facts and homes of that day and later go to the heir. A batch numbers its browsers without a lock, so it looks again at
their eras when it holds them; and who moves a claim holds the group of its claimant, like everyone who writes one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from tern_identity.domain.holding import NEVER
from unit.identity.interleavings.machine import GONE, Commit, Key, Lock, Read, Rollback, Row, Rows, Steps, View, Write
from unit.identity.interleavings.protocol import Part, Settling
from unit.identity.interleavings.small_graph import Facts, HomeRow, Weak, World, is_strong, table


class Numbered(Settling):
    """A batch with numbers that were looked up before it locked anything."""

    def __init__(self, world: World, facts: Facts, eras: Rows) -> None:
        super().__init__(world, facts)
        self._eras = eras

    def look_at_eras(self) -> Part:
        names = [key for key, _ in self._eras]
        if (yield Read("browsers: look again at eras", lambda view: _eras(view, names))) != self._eras:
            yield Rollback(None, "ROLLBACK, number again")


class BlindToEras(Numbered):
    """Trusts the numbers that it looked up."""

    def look_at_eras(self) -> Part:
        yield from ()


class Filing:
    """Numbers a batch, then settles it."""

    def __init__(self, world: World, facts: Facts, settling: type[Numbered] = Numbered) -> None:
        self._world, self._facts, self._settling = world, facts, settling

    def __call__(self, also: Any) -> Steps:
        names = [("node", node) for node in sorted(self._facts.nodes()) if not is_strong(node)]
        eras = yield Read("names: find (_FIND)", lambda view: _eras(view, names))
        yield from self._settling(self._world, self._numbered({key[1]: row for key, row in eras}), eras)(also)

    def _numbered(self, eras: Mapping[int, tuple[int, int]]) -> Facts:
        def number(node: int, day: int) -> int:
            from_day, following = eras.get(node, (NEVER, 0))
            return following if day >= from_day else node

        return self._facts._replace(
            claims=tuple((number(weak, day), strong, rank, day) for weak, strong, rank, day in self._facts.claims),
            homes=tuple(
                (home, tuple(number(node, day) for node in nodes), day) for home, nodes, day in self._facts.homes
            ),
        )


class Retiring(Settling):
    """`retire(browser, day)`: the heir, its facts and homes, then all that follows."""

    def __init__(self, world: World, browser: int, following: int, day: int) -> None:
        super().__init__(world, Facts())
        self.browser, self.following, self.day = browser, following, day

    def __call__(self, also: Any) -> Steps:
        claimants = yield from self.claimants()
        locked = yield from self.lock_groups(sorted({*claimants, *(also or ())}), frozenset(claimants))
        stored = yield from self.lock_browsers({self.browser}, set())
        if not set((yield from self.claimants_again())) <= locked.keys():
            yield Rollback(also)
        yield from self.begin_era(stored[0][1])
        yield from self.move_homes()
        both = {self.browser, self.following}
        now = yield from self.holders(both)
        rows = {self.browser: stored[0][1]._replace(from_day=self.day, heir=self.following), self.following: Weak()}
        yield from self.write_holders(now, rows, ())
        yield from self.replace(both)
        yield Commit()

    def claimants(self) -> Part:
        return (yield Read("retire: claimants", lambda view: tuple(sorted({key[2] for key in self._claims(view)}))))

    def claimants_again(self) -> Part:
        """Once the browser is held nobody can add one."""
        return (yield from self.claimants())

    def begin_era(self, browser: Weak) -> Part:
        ended = (("node", self.browser), browser._replace(from_day=self.day, heir=self.following))
        yield Write("retire: bear the heir", (ended, (("node", self.following), Weak())))
        moved = yield Read("retire: its claims", self._claims)
        claims = [row for key in moved for row in ((key, GONE), (("claim", self.following, *key[2:]), True))]
        yield Write("retire: move claims", tuple(claims))

    def move_homes(self) -> Part:
        """Of the day and later; their rows are locked, and so is the browser: nobody adds one."""
        rows = yield Lock("retire: lock homes", lambda view: self.homes_in_order(view, {self.browser}))
        late = {key: row for key, row in rows if row.day >= self.day}
        written: list[tuple[Key, Row]] = [(key, row._replace(nodes=self._under(row))) for key, row in late.items()]
        written += [(("home_node", self.browser, key[1]), GONE) for key in late]
        written += [(("home_node", self.following, key[1]), True) for key in late]
        yield Write("retire: move homes", tuple(written))

    def _under(self, row: HomeRow) -> tuple[int, ...]:
        return tuple(self.following if node == self.browser else node for node in row.nodes)

    def _claims(self, view: View) -> tuple[Key, ...]:
        keys = (("claim", *key) for key, _ in table(view, "claim"))
        return tuple(sorted(key for key in keys if key[1] == self.browser and key[4] >= self.day))


class RetiringWithoutClaimants(Retiring):
    """Moves claims without the groups of those who claim."""

    def claimants(self) -> Part:
        yield from ()
        return ()


class RetiringAtFirstSight(Retiring):
    """Does not ask again who claims, once it holds the browser."""

    def claimants_again(self) -> Part:
        yield from ()
        return ()


def _eras(view: View, names: Collection[Key]) -> Rows:
    return tuple((key, (view[key].from_day, view[key].heir)) for key in names)
