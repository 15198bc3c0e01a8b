"""The algorithm, broken on purpose in one place each. `test_mutants.py` says which promise catches it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import replace
from datetime import timedelta
from typing import Any

from msgspec import structs

from tern_common.identifiers import Identifier
from tern_identity.domain.collapsing import Heard
from tern_identity.domain.ledger import At, ClaimKey, Link, first_links
from tern_identity.domain.placing import Customer, Standpoint, place
from tern_identity.domain.reading import Claim, Reading
from tern_identity.domain.regrouping import Group, Regrouped, Strong, advance, freed, guards_after, regroup
from tern_identity.domain.rules import Guard
from tern_identity.domain.rulings import Rulings
from unit.identity.acts import is_weak
from unit.identity.histories import START
from unit.identity.memory_ledger import SINCE_EVER, Era
from unit.identity.ruled_graph import Control, RuledGraph


class ArrivalDecides(RuledGraph):
    """Folds in the order in which nodes came, not in event time."""

    def regroup(self, rows: Mapping[int, Strong], links: Sequence[Link]) -> Regrouped:
        ordered = sorted(links, key=lambda link: (max(link[1:]), min(link[1:])))
        return super().regroup(rows, [link._replace(at=At(START, "", place)) for place, link in enumerate(ordered)])


class LastSayingCounts(RuledGraph):
    """Keeps the latest saying of a pair instead of the first."""

    def is_news(self, at: At, known: At) -> bool:
        return at > known


class TypedContactsPair(RuledGraph):
    """Believes a browser that two identifiers are one person."""

    def hear(self, event: Heard) -> Heard:
        strong = [one for one in event.reading.identifiers if not is_weak(one)]
        return _with(event, pairs=tuple((strong[0], other) for other in strong[1:]))


class TypedContactsClaim(RuledGraph):
    """Gives a browser to whoever's contact was typed in it."""

    def hear(self, event: Heard) -> Heard:
        strong = [one for one in event.reading.identifiers if not is_weak(one)]
        weak = [one for one in event.reading.identifiers if is_weak(one)]
        claims = tuple(Claim(browser, strong[0], 2) for browser in weak) if strong else ()
        return _with(event, claims=event.reading.claims or claims)


class BrowsersPair(RuledGraph):
    """Joins whoever used one browser."""

    def links_of(self, nodes: Collection[int]) -> list[Link]:
        users: dict[int, set[int]] = {}
        for weak, strong, *_ in self.claims:
            users.setdefault(weak, set()).add(strong)
        joined = [Link(At(START, "", 0), min(used), one) for used in users.values() for one in used - {min(used)}]
        return [*super().links_of(nodes), *(link for link in joined if link.a in nodes or link.b in nodes)]


class ForgetsWaitingPairs(RuledGraph):
    """A node that leaves quarantine does not meet those who waited for it."""

    def waiting(
        self,
        links: Iterable[Link],  # noqa: ARG002
        before: Mapping[int, Strong],
        guards: Mapping[int, Guard | None],
    ) -> set[int]:
        return freed(before, guards)

    def beyond(self, step: Regrouped, owed: set[int]) -> set[int]:  # noqa: ARG002
        return set()


class LeavesBrowsersBehind(RuledGraph):
    """Does not ask again who holds the browsers of a node whose core changed."""

    def claimed_by(self, strong: Collection[int]) -> set[int]:  # noqa: ARG002
        return set()


class LeavesKeptBrowsersBehind(RuledGraph):
    """Does not ask again who holds a browser, when one from whom it is kept joins its holder."""

    def kept_from(self, strong: Collection[int]) -> set[int]:  # noqa: ARG002
        return set()


class LeavesHomesBehind(RuledGraph):
    """Does not place again what is filed under a node that changed."""

    def filed_under(self, nodes: set[int]) -> set[str]:  # noqa: ARG002
        return set()


class SharedBrowserIsTheFirstMembers(RuledGraph):
    """A browser that two members use stays the first one's."""

    def place(self, nodes: Sequence[Standpoint], day: int) -> Customer:
        return place([node._replace(held=node.held._replace(shared_from=1 << 40)) for node in nodes], day)


class FirstBornNamesTheCore(RuledGraph):
    """A member takes the id of whatever identifier came first."""

    def advance(self, rows: Mapping[int, Strong], news: Sequence[Link]) -> Regrouped:
        done = super().advance(rows, news)
        first: dict[int, int] = {}
        for node, row in done.after.items():
            first[row.core] = min(first.get(row.core, node), node)
        return replace(done, after={node: row._replace(core=first[row.core]) for node, row in done.after.items()})


class NothingIsRefused(RuledGraph):
    """Two members may be one customer."""

    def advance(self, rows: Mapping[int, Strong], news: Sequence[Link]) -> Regrouped:
        done = super().advance(rows, news)
        whole = {node: row if row.guard else row._replace(core=row.grp) for node, row in done.after.items()}
        return replace(done, after=whole, stale=set())


class VersionsAreDrawnTooEarly(RuledGraph):
    """Two memberships of one home with the same version."""

    def _replace(self, touched: Collection[str]) -> None:
        before = self.version
        super()._replace(touched)
        self.version = before


class LatePairDecidedAlone(RuledGraph):
    """Does not look whether a pair is the newest of its group."""

    def advance(self, rows: Mapping[int, Strong], news: Sequence[Link]) -> Regrouped:
        groups = {number: group._replace(newest=None) for number, group in self.groups.items()}
        return advance(rows, groups, news, self.rules, self.rulings)


class ContestedForgotten(RuledGraph):
    """Takes a group that has refused a pair for a clean one."""

    def advance(self, rows: Mapping[int, Strong], news: Sequence[Link]) -> Regrouped:
        groups = {number: group._replace(contested=False) for number, group in self.groups.items()}
        return advance(rows, groups, news, self.rules, self.rulings)


class CannotLinkIgnored(RuledGraph):
    """Lets two meet whom an operator keeps apart."""

    def advance(self, rows: Mapping[int, Strong], news: Sequence[Link]) -> Regrouped:
        return advance(rows, self.groups, news, self.rules, replace(self.rulings, cannot={}))

    def regroup(self, rows: Mapping[int, Strong], links: Sequence[Link]) -> Regrouped:
        return regroup(rows, links, self.rules, replace(self.rulings, cannot={}))


class CannotLinkIgnoredForBrowsers(RuledGraph):
    """Lets someone hold a browser from whom an operator keeps it."""

    def counts(self, weak: int, strong: int) -> bool:  # noqa: ARG002
        return self.strong[strong].guard is None and strong not in self.crowded


class _MisjudgesBy(RuledGraph):
    def guards(self, asked: Set[int], links: Sequence[Link]) -> dict[int, Guard | None]:
        return guards_after(asked, links, self.strong, self.rules, self.mistaken(self.rulings))

    def mistaken(self, rulings: Rulings) -> Rulings:
        raise NotImplementedError


class RevokedPairsCountAsPartners(_MisjudgesBy):
    """A pair that was taken back still makes a value look shared."""

    def mistaken(self, rulings: Rulings) -> Rulings:
        return replace(rulings, revoked=frozenset())


class BlockedStaysEligible(_MisjudgesBy):
    """An operator's block is not heard."""

    def mistaken(self, rulings: Rulings) -> Rulings:
        return replace(rulings, blocked=frozenset())


class AllowIgnored(_MisjudgesBy):
    """Nor is an operator's leave."""

    def mistaken(self, rulings: Rulings) -> Rulings:
        return replace(rulings, allowed=frozenset())


class EraIgnored(RuledGraph):
    """Finds an identifier in its first era, whatever the day."""

    def number(self, identifier: Identifier, day: int) -> int:  # noqa: ARG002
        return super().number(identifier, SINCE_EVER)


class EraBeginsWithNothing(RuledGraph):
    """What was filed before the operator spoke stays where it was."""

    def begin_era(self, identifier: Identifier, day: int, control: Control) -> None:
        if all(era.from_day != day for era in self.eras[identifier]):
            self.bear(identifier, day)
            control.begun = identifier, self.eras[identifier][-1]


class EraTakesItsFactsAway(RuledGraph):
    """What was filed under an era that is taken back does not go back."""

    def end_era(self, identifier: Identifier, era: Era) -> None:
        moving, self.move = self.move, lambda *_: set()  # type: ignore[method-assign]
        super().end_era(identifier, era)
        self.move = moving  # type: ignore[method-assign]
        self.names[era.node_id] = "an era that never was"


class TogetherComesLast(RuledGraph):
    """An operator's word goes after what events said."""

    def regroup(self, rows: Mapping[int, Strong], links: Sequence[Link]) -> Regrouped:
        said = [
            Link(At(START + timedelta(days=9_000), f"{statement:09d}", 0), a, b)
            for (a, b), statement in self.rulings.together.items()
        ]
        return regroup(rows, [*links, *said], self.rules, replace(self.rulings, together={}))


class TogetherIsNotAskedFor(RuledGraph):
    """A node that leaves quarantine meets whom events named with it, and not whom an operator put with it."""

    def waiting(
        self, links: Iterable[Link], before: Mapping[int, Strong], guards: Mapping[int, Guard | None]
    ) -> set[int]:
        free = freed(before, guards)
        return free | {end for link in links for end in link[1:] if not free.isdisjoint(link[1:])}


class DistrustedPairsCount(RuledGraph):
    """Believes every source that two identifiers are one person."""

    def links_of(self, nodes: Collection[int]) -> list[Link]:
        return [link for link in first_links(self.pairs) if link.a in nodes or link.b in nodes]


class DistrustedContactsClaim(RuledGraph):
    """Believes every source whose contact uses a browser."""

    def counted_claims(self) -> list[ClaimKey]:
        return list(self.claims)


class CrowdedForEver(RuledGraph):
    """An account that was seen on too many browsers never holds one again."""

    def recount(self, news: Iterable[ClaimKey], again: set[int]) -> set[int]:
        before = set(self.crowded)
        turned = super().recount(news, again)
        self.crowded |= before
        return turned


class DeferredForEver(RuledGraph):
    """The worker never comes."""

    def fold_deferred(self) -> None:
        for number, group in self.groups.items():
            self.groups[number] = Group(group.newest, group.contested)


class TakenBackInSilence(RuledGraph):
    """A word that is taken back is forgotten, and nothing follows from it."""

    def take_back(self, control: Control) -> None:
        control.undone = True
        if control.begun is None:
            self.take_words()


def _with(event: Heard, **changed: Any) -> Heard:
    reading: Reading = event.reading
    return structs.replace(event, reading=replace(reading, **changed))
