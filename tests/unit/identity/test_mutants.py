"""Rules broken on purpose: the promises must catch every one of them, or they prove nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, settings
from hypothesis import strategies as st

from tern_identity.domain.collapsing import Heard
from tern_identity.domain.ledger import At, Link
from tern_identity.domain.placing import Customer, Standpoint, place
from tern_identity.domain.reading import Claim, Reading
from tern_identity.domain.regrouping import Regrouped, Strong
from tern_identity.domain.rules import Guard
from unit.identity import promises
from unit.identity.acts import is_weak
from unit.identity.histories import HASTY, START, TIGHT, Said, histories
from unit.identity.memory_graph import MemoryGraph
from unit.identity.promises import Promise


class ArrivalDecides(MemoryGraph):
    """Folds in the order in which nodes came, not in event time."""

    def regroup(self, rows: Mapping[int, Strong], links: Sequence[Link]) -> Regrouped:
        arrived = [link._replace(at=At(START, "", number)) for number, link in enumerate(sorted(links, key=_ends))]
        return super().regroup(rows, arrived)


class LastSayingCounts(MemoryGraph):
    """Keeps the latest saying of a pair instead of the first."""

    def is_news(self, at: At, known: At) -> bool:
        return at > known


class TypedContactsPair(MemoryGraph):
    """Believes a browser that two identifiers are one person."""

    def hear(self, event: Heard) -> Heard:
        strong = [one for one in event.reading.identifiers if not is_weak(one)]
        pairs = tuple((strong[0], other) for other in strong[1:])
        return event._replace(reading=_with(event.reading, pairs=pairs))


class TypedContactsClaim(MemoryGraph):
    """Gives a browser to whoever's contact was typed in it."""

    def hear(self, event: Heard) -> Heard:
        strong = [one for one in event.reading.identifiers if not is_weak(one)]
        weak = [one for one in event.reading.identifiers if is_weak(one)]
        claims = tuple(Claim(browser, strong[0], 2) for browser in weak) if strong else ()
        return event._replace(reading=_with(event.reading, claims=event.reading.claims or claims))


class ForgetsWaitingPairs(MemoryGraph):
    """A node that leaves quarantine does not meet those who waited for it."""

    def waiting(
        self, links: Iterable[Link], before: Mapping[int, Strong], guards: Mapping[int, Guard | None]
    ) -> set[int]:
        freed = super().waiting(links, before, guards)
        return {node for node in freed if guards.get(node) != before[node].guard}


class LeavesBrowsersBehind(MemoryGraph):
    """Does not ask again who holds the browsers of a node whose core changed."""

    def claimed_by(self, strong: Collection[int]) -> set[int]:  # noqa: ARG002
        return set()


class LeavesHomesBehind(MemoryGraph):
    """Does not place again what is filed under a node that changed."""

    def filed_under(self, nodes: set[int]) -> set[str]:  # noqa: ARG002
        return set()


class SharedBrowserIsTheFirstMembers(MemoryGraph):
    """A browser that two members use stays the first one's."""

    def place(self, nodes: Sequence[Standpoint], day: int) -> Customer:
        return place([node._replace(held=node.held._replace(shared_from=1 << 40)) for node in nodes], day)


class FirstBornNamesTheCore(MemoryGraph):
    """A member takes the id of whatever identifier came first."""

    def advance(self, rows: Mapping[int, Strong], news: Sequence[Link]) -> Regrouped:
        done = super().advance(rows, news)
        first: dict[int, int] = {}
        for node_id, row in done.after.items():
            first[row.core] = min(first.get(row.core, node_id), node_id)
        after = {node_id: row._replace(core=first[row.core]) for node_id, row in done.after.items()}
        return replace(done, after=after)


class NothingIsRefused(MemoryGraph):
    """Two members may be one customer."""

    def advance(self, rows: Mapping[int, Strong], news: Sequence[Link]) -> Regrouped:
        done = super().advance(rows, news)
        after = {node_id: row if row.guard else row._replace(core=row.grp) for node_id, row in done.after.items()}
        return replace(done, after=after)


class VersionsAreDrawnTooEarly(MemoryGraph):
    """Two memberships of one home with the same version."""

    def _replace(self, touched: Collection[str]) -> None:
        before = self.version
        super()._replace(touched)
        self.version = before


CAUGHT: tuple[tuple[type[MemoryGraph], Promise], ...] = (
    (ArrivalDecides, promises.incremental_equals_canonical_after_every_step),
    (LastSayingCounts, promises.partition_does_not_depend_on_arrival),
    (TypedContactsPair, promises.untrusted_events_never_join_or_part),
    (TypedContactsClaim, promises.a_typed_contact_moves_nothing),
    (ForgetsWaitingPairs, promises.incremental_equals_canonical_after_every_step),
    (LeavesBrowsersBehind, promises.incremental_equals_canonical_after_every_step),
    (LeavesHomesBehind, promises.incremental_equals_canonical_after_every_step),
    (SharedBrowserIsTheFirstMembers, promises.incremental_equals_canonical_after_every_step),
    (FirstBornNamesTheCore, promises.a_members_id_never_changes),
    (NothingIsRefused, promises.members_never_meet),
    (VersionsAreDrawnTooEarly, promises.versions_grow_and_any_delivery_converges),
)


@pytest.mark.parametrize(("mutant", "promise"), CAUGHT, ids=lambda it: it.__name__)
def test_a_broken_rule_is_caught(mutant: type[MemoryGraph], promise: Promise) -> None:
    def is_caught(example: tuple[list[Said], int]) -> bool:
        history, seed = example
        try:
            promise(mutant, HASTY if mutant is ForgetsWaitingPairs else TIGHT, history, Random(seed))
        except AssertionError:
            return True
        return False

    find(
        st.tuples(histories, st.integers(0, 1 << 30)),
        is_caught,
        settings=settings(
            max_examples=20_000,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


def _ends(link: Link) -> tuple[int, int]:
    return max(link.a, link.b), min(link.a, link.b)


def _with(reading: Reading, **changed: Any) -> Reading:
    return replace(reading, **changed)
