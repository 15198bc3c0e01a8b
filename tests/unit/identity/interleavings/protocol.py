"""The store's locked transaction, statement by statement, as steps of the small machine.

`Settling` mirrors `tern_identity.store`: each step's label names the module and the statement that it stands for. Each
decision that a test breaks on purpose is a method of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from typing import Any, Literal

from tern_identity.domain.holding import Held
from tern_identity.domain.placing import Standpoint, place
from unit.identity.interleavings.machine import (
    GONE,
    Commit,
    Draw,
    Key,
    Lock,
    Read,
    Rollback,
    Rows,
    Statement,
    Steps,
    View,
    Write,
)
from unit.identity.interleavings.small_graph import (
    Facts,
    HomeRow,
    Strong,
    World,
    crowded,
    eligible,
    fold,
    held_now,
    is_strong,
    links_of,
    newest_of,
    standpoint,
    table,
)

Part = Generator[Statement, Any, Any]
"""Some steps of a transaction, which return something to those that follow. After a Rollback none follows."""


class Settling:
    """settling.settle: facts in, what follows from them up to date.

    `facts` are what a batch brings, or an operator's word: to `block` or, with `unblock`, to take it back.
    """

    looks_again = True
    locks_partners = True
    skips_locked = True
    when_it_exists: Literal["new", "unless"] = "new"

    def __init__(self, world: World, facts: Facts, unblock: Collection[int] = ()) -> None:
        self.world = world
        self.facts = facts
        self.unblock = frozenset(unblock)

    def __call__(self, also: Any) -> Steps:
        """One attempt. `also`: strong nodes whose groups must be locked as well."""
        more = frozenset(also or ())
        locked = yield from self.lock_groups(sorted(self.strong() | more), more)
        yield from self.keep_facts()
        moved = yield from self.refold(locked, more)
        crowd = yield from self.recount_browsers(locked)
        turned = yield from self.rehold(moved, crowd)
        yield from self.replace(moved | turned)
        yield Commit()

    def strong(self) -> set[int]:
        """The strong nodes of the news: those of new homes are among them."""
        under = {node for _, nodes, _ in self.facts.homes for node in nodes if is_strong(node)}
        return self.facts.strong() | self.unblock | under

    def filed(self) -> set[int]:
        """The browsers that new homes are filed under."""
        return {node for _, nodes, _ in self.facts.homes for node in nodes if not is_strong(node)}

    # ---- groups.lock

    def lock_groups(self, nodes: Sequence[int], also: frozenset[int]) -> Part:
        """The strong nodes of the locked groups. Begins again where a node is in another group by now."""
        if not nodes:
            return {}
        numbers = {key[1] for key, _ in (yield self.group_lock(nodes))}
        locked = dict((yield Read("groups: look again (_LOAD_GROUPS)", lambda view: _in_groups(view, numbers))))
        if self.looks_again and not locked.keys() >= set(nodes):
            yield Rollback(also)
        return locked

    def group_lock(self, nodes: Sequence[int]) -> Statement:
        return Lock("groups: lock (_LOCK)", lambda view: _groups_of(view, nodes))

    # ---- facts.keep_facts, groups.refold, groups.recount_browsers

    def keep_facts(self) -> Part:
        """Pairs, claims and words."""
        yield Write("facts: keep (_KEEP_PAIRS, _KEEP_CLAIMS)", self.facts.rows())
        if self.unblock:
            yield Write("a word is taken back", tuple((("blocked", node), GONE) for node in sorted(self.unblock)))

    def refold(self, locked: dict[int, Strong], also: frozenset[int]) -> Part:
        """Folds the groups of pairs and words from the ledger. The nodes with another core or eligibility."""
        touched = {node for a, b, _ in self.facts.pairs for node in (a, b)} | set(self.facts.blocked) | self.unblock
        if not touched:
            return set()
        before = _together(touched, locked)
        links, now = yield from self._links(before)
        now |= {node: row._replace(eligible=before[node].eligible) for node, row in now.items() if node not in touched}
        freed = {node for node, row in now.items() if row.eligible and not before[node].eligible}
        partners = {end for _, *ends in links for end in ends if freed & set(ends)}
        if self.locks_partners and not partners <= locked.keys():
            yield Rollback(also | partners)
        if partners := partners & locked.keys():
            before = _together(touched | partners, locked)
            links, _ = yield from self._links(before)
        after = fold({**before, **now}, links, self.world)
        changed = tuple((("node", node), row) for node, row in sorted(after.items()) if row != before[node])
        yield Write("groups: write nodes (_WRITE_NODES)", changed)
        numbers = {row.grp for row in locked.values()}
        yield from self.write_groups(newest_of(links, after), numbers, also)
        return {node for node, row in after.items() if _moved(before[node], row)}

    def _links(self, before: Mapping[int, Strong]) -> Part:
        def of(view: View) -> Any:
            links = links_of(view, before)
            return links, tuple((node, eligible(node, links, view, self.world)) for node in sorted(before))

        links, judged = yield Read("facts: pairs of the groups (_LINKS)", of)
        return links, {node: before[node]._replace(eligible=is_eligible) for node, is_eligible in judged}

    def write_groups(self, newest: Mapping[int, int], locked: Collection[int], also: frozenset[int]) -> Part:
        """What is known of groups stands in the rows that are locked. Those of groups that only come to be are taken
        out of order: so nobody is waited for."""
        fresh = [("grp", number) for number in sorted(newest.keys() - set(locked))]
        if fresh:
            taken = yield Lock("groups: rows of new groups (_LOCK_FREE)", lambda _: fresh, skip=self.skips_locked)
            if len(taken) < len(fresh):
                yield Rollback(also)
        yield Write("groups: write groups (_WRITE_GROUPS)", tuple((("grp", one), at) for one, at in newest.items()))

    def recount_browsers(self, locked: Mapping[int, Strong]) -> Part:
        """Accounts that were seen on one browser too many."""
        claimants = sorted({strong for _, strong, _, _ in self.facts.claims if not locked[strong].crowded})
        if not claimants:
            return set()

        def too_many(view: View) -> Rows:
            found = [node for node in claimants if crowded(view, self.world, node)]
            return tuple((("node", node), view["node", node]._replace(crowded=True)) for node in found)

        rows = yield Read("groups: count browsers (_COUNT_BROWSERS)", too_many)
        if rows:
            yield Write("groups: crowd (_CROWD)", rows)
        return {key[1] for key, _ in rows}

    # ---- browsers.claimed_by, browsers.rehold

    def rehold(self, moved: set[int], crowd: set[int]) -> Part:
        """The browsers whose homes may have another customer."""
        doubtful = yield from self.doubtful(moved | crowd)
        filed = self.filed()
        if not doubtful | filed:
            return set()
        stored = {key[1]: row for key, row in (yield from self.lock_browsers(doubtful, filed))}
        yield from self.look_at_eras()
        now = yield from self.holders(doubtful)
        return (yield from self.write_holders(now, stored, moved))

    def doubtful(self, turned: Collection[int]) -> Part:
        """Browsers with a new claim, or with one by a node that turned."""
        claimed = {claim[0] for claim in self.facts.claims}
        if not turned:
            return claimed
        return claimed | set((yield Read("browsers: claimed by (_CLAIMED_BY)", lambda view: _claimed_by(view, turned))))

    def lock_browsers(self, doubtful: set[int], filed: set[int]) -> Part:
        return (yield Lock("browsers: lock (_LOCK)", lambda _: [("node", node) for node in sorted(doubtful | filed)]))

    def look_at_eras(self) -> Part:
        """Whether the browsers still are those of their names. Nothing to be done where none is ever retired."""
        yield from ()

    def holders(self, doubtful: Collection[int]) -> Part:
        """Who holds these, by their claims."""
        if not doubtful:
            return {}

        def of(view: View) -> Any:
            return tuple((node, held_now(view, node)) for node in sorted(doubtful))

        return dict((yield Read("browsers: claims (_CLAIMS)", of)))

    def write_holders(self, now: Mapping[int, Held], stored: Mapping[int, Any], moved: Collection[int]) -> Part:
        changed = {node for node, held in now.items() if held != stored[node].held}
        rows = tuple((("node", node), stored[node]._replace(held=now[node])) for node in sorted(changed))
        if rows:
            yield Write("browsers: write (_WRITE)", rows)
        return changed | {node for node, held in now.items() if held.holder in moved}

    # ---- homes.replace

    def replace(self, touched: Collection[int]) -> Part:
        """Places the homes under these nodes, and the new ones; writes those that have another customer now."""
        if not touched and not self.facts.homes:
            return
        stored = yield from self.lock_homes(touched)
        stands = yield from self.standpoints(stored)
        yield from self.place_homes(stored, stands)

    def lock_homes(self, touched: Collection[int]) -> Part:
        """The homes that are stored, by id."""
        rows = yield Lock("homes: lock (_LOCK)", lambda view: self.homes_in_order(view, touched))
        return {key[1]: row for key, row in rows}

    def homes_in_order(self, view: View, touched: Collection[int]) -> list[Key]:
        ids = {home for home, *_ in self.facts.homes} | {
            key[1] for key, _ in table(view, "home_node") if key[0] in touched
        }
        return [("home", home) for home in sorted(ids) if ("home", home) in view]

    def standpoints(self, stored: Mapping[str, HomeRow]) -> Part:
        nodes = {node for _, under, _ in self.facts.homes for node in under}
        nodes |= {node for row in stored.values() for node in row.nodes}

        def of(view: View) -> Any:
            return tuple((node, standpoint(view, node)) for node in sorted(nodes))

        return dict((yield Read("homes: standpoints (_BY_NUMBER)", of)))

    def place_homes(self, stored: Mapping[str, HomeRow], stands: Mapping[int, Standpoint]) -> Part:
        new = {home: (nodes, day) for home, nodes, day in self.facts.homes if home not in stored}
        everyone = {home: (row.nodes, row.day) for home, row in stored.items()} | new
        wanted = {home: place([stands[node] for node in nodes], day) for home, (nodes, day) in everyone.items()}
        changed = sorted(home for home in everyone if home in new or stored[home].customer != wanted[home])
        if not changed:
            return
        first = yield Draw(len(changed))
        rows = {home: HomeRow(*everyone[home], wanted[home], first + number) for number, home in enumerate(changed)}
        yield from self.write_homes({home: row for home, row in rows.items() if home in new}, rows)

    def write_homes(self, new: Mapping[str, HomeRow], rows: Mapping[str, HomeRow]) -> Part:
        """First the new ones, then the changed: as the store does."""
        if new:
            yield Write("homes: add (_ADD)", _added(new), self.when_it_exists)
        if changed := {home: row for home, row in rows.items() if home not in new}:
            yield Write("homes: change (_CHANGE)", tuple((("home", home), row) for home, row in changed.items()))


def _added(new: Mapping[str, HomeRow]) -> Rows:
    homes = tuple((("home", home), row) for home, row in new.items())
    return (*homes, *((("home_node", node, home), True) for home, row in new.items() for node in row.nodes))


def _groups_of(view: View, nodes: Iterable[int]) -> list[Key]:
    return [("grp", number) for number in sorted({view["node", node].grp for node in nodes})]


def _in_groups(view: View, numbers: Collection[int]) -> tuple[tuple[int, Strong], ...]:
    rows = ((key[0], row) for key, row in table(view, "node"))
    return tuple(sorted((node, row) for node, row in rows if isinstance(row, Strong) and row.grp in numbers))


def _together(nodes: Iterable[int], locked: Mapping[int, Strong]) -> dict[int, Strong]:
    groups = {locked[node].grp for node in nodes}
    return {node: row for node, row in locked.items() if row.grp in groups}


def _claimed_by(view: View, strong: Collection[int]) -> tuple[int, ...]:
    return tuple(sorted({key[0] for key, _ in table(view, "claim") if key[1] in strong}))


def _moved(before: Strong, now: Strong) -> bool:
    return (before.core, before.eligible) != (now.core, now.eligible)
