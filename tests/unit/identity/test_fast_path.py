"""What news can decide is decided by news (identity.md §4): rightly, and without a fold from the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tern_identity.domain.folding import fold, groups_of
from tern_identity.domain.ledger import At, Link, Node, in_fold_order
from tern_identity.domain.regrouping import Group, Regrouped, Strong, advance, regroup
from tern_identity.domain.rules import admissible
from tern_identity.domain.rulings import Rulings, rulings_of, words_of_revert
from unit.identity.acts import Item, sayings_of, told_anyhow
from unit.identity.histories import CHANCES, DAY, EXAMPLES, SHIPPED, START, TIGHT, Said, heard
from unit.identity.promises import equals_the_specification
from unit.identity.ruled_graph import RuledGraph, ruled

KINDS = ("user_id", "user_id", "user_id", "loyalty_card", "phone", "phone", "phone", "email", "email", "email")
NODES = {number: Node(number, name, TIGHT.known[name].kind, bytes([number])) for number, name in enumerate(KINDS)}
ENDS = [(a, b) for a in NODES for b in NODES if a < b]

links_said = st.lists(
    st.builds(
        lambda ends, hour, event: Link(At(START + hour * DAY, f"m-{event}", 0), *ends),
        st.sampled_from(ENDS),
        st.integers(0, 5),
        st.integers(0, 9),
    ),
    min_size=1,
    max_size=14,
)
kept_apart = st.lists(st.sampled_from(ENDS), max_size=2).map(
    lambda pairs: Rulings(cannot=rulings_of(word for a, b in pairs for word in words_of_revert(1, a, b)).cannot)
)


class Told:
    """Links taken in by news alone; what cannot be is folded, as the store does it."""

    def __init__(self, rulings: Rulings) -> None:
        self.rulings = rulings
        self.rows = {number: Strong(node, number, number, None) for number, node in NODES.items()}
        self.groups: dict[int, Group] = {}
        self.first: dict[tuple[int, int], At] = {}

    def take(self, batch: Sequence[Link]) -> Regrouped:
        news: dict[tuple[int, int], Link] = {}
        for link in sorted(batch):
            if link.at < self.first.get(link[1:], link.at._replace(time=link.at.time + DAY)):
                self.first[link[1:]] = link.at
                news[link[1:]] = link
        step = advance(self.rows, self.groups, in_fold_order(list(news.values()), NODES), TIGHT, self.rulings)
        self.rows, self.groups = dict(step.after), {**self.groups, **step.groups}
        if step.stale:
            stale = {number: self.rows[number] for number in step.stale}
            links = [link for link in self.links() if link.a in stale]
            done = regroup(stale, links, TIGHT, self.rulings)
            self.rows |= done.after
            self.groups |= done.groups
        return step

    def links(self) -> list[Link]:
        return [Link(at, *ends) for ends, at in self.first.items()]


@given(links_said, kept_apart, CHANCES)
@settings(max_examples=EXAMPLES)
def test_news_alone_equals_the_fold_unless_it_says_that_it_cannot(
    said: list[Link], rulings: Rulings, random: Random
) -> None:
    told = Told(rulings)
    while said:
        size = random.randint(1, len(said))
        batch, said = said[:size], said[size:]
        step = told.take(batch)
        wanted = fold(NODES, told.links(), TIGHT, rulings)
        core_of = {number: core for core in wanted.cores for number in core}
        sure = NODES.keys() - step.stale
        assert {core_of[number] for number in sure} == _cores(step, sure)
        assert {core_of[number] for number in NODES} == _cores(Regrouped(told.rows, {}), NODES)
        for group in groups_of(NODES, told.links()):
            assert {step.after[number].grp for number in group} == {min(group)}
            contested = not admissible((NODES[number] for number in group), TIGHT, rulings)
            assert told.groups.get(min(group), Group()).contested == contested


def _cores(step: Regrouped, nodes: Sequence[int] | set[int] | dict[int, Node]) -> set[frozenset[int]]:
    cores: dict[int, set[int]] = {}
    for number in nodes:
        cores.setdefault(step.after[number].core, set()).add(number)
    return {frozenset(core) for core in cores.values()}


@st.composite
def clean_histories(draw: st.DrawFn) -> list[Item]:
    """Every member with a phone, e-mails, a card and browsers of her own: nothing can be refused."""
    random = draw(CHANCES)

    def own(user: int) -> Said:
        first, second = 2 * user - 1, 2 * user
        return Said(
            message=random.randint(1, 99),
            hours=random.randint(0, 2_000),
            user=random.choice([0, user]),
            phone=random.choice([0, user]),
            email=random.choice([0, first, second]),
            browser=random.choice([0, first, second]),
            card=random.choice([0, 0, user]),
            openid=random.choice([0, 0, user]),
            till=random.random() < 0.3,
        )

    return [own(random.randint(1, 4)) for _ in range(random.randint(1, 30))]


@given(clean_histories(), CHANCES)
@settings(max_examples=EXAMPLES)
def test_in_clean_histories_nothing_is_ever_folded_again_late_or_not(history: list[Item], random: Random) -> None:
    """And what is known touches nothing: the store asks the ledger first, and takes no lock when it has no news."""
    graph = ruled(RuledGraph(SHIPPED), told_anyhow(history, random))
    assert graph.refolds == 0
    equals_the_specification(graph)
    graph.settled = 0
    graph.take(random.sample(sayings_of(history), len(history)))
    assert graph.settled == 0


CONTEST = (Said(1, 0, user=1, phone=1), Said(2, 24, user=2, phone=1))


@pytest.mark.parametrize(
    ("late", "folds"),
    [
        (Said(3, 50, user=2, email=1), 0),
        (Said(3, 50, phone=1, email=1), 0),
        (Said(3, 2, phone=1, email=1), 1),
        (Said(3, 2, user=3, phone=3), 0),
    ],
    ids=["the newest of a contested group", "the same, by its phone", "a late pair in it", "a late pair elsewhere"],
)
def test_only_a_late_pair_in_a_contested_group_is_folded_again(late: Said, folds: int) -> None:
    graph = RuledGraph(SHIPPED)
    for said in CONTEST:
        graph.file(heard([said]))
    assert graph.refolds == 0
    graph.file(heard([late]))
    assert graph.refolds == folds
    equals_the_specification(graph)


def test_a_giant_group_waits_for_its_fold_and_everything_else_stays_instant() -> None:
    rules = SHIPPED.model_copy(update={"deferred_above": 2})
    graph = RuledGraph(rules)
    for said in (*CONTEST, Said(3, 2, phone=1, email=1), Said(4, 3, user=5, phone=5)):
        graph.file(heard([said]))
    assert graph.deferred() == {1}
    assert graph.refolds == 0
    assert graph.core(graph.number(heard([Said(4, 3, user=5)])[0].reading.identifiers[0], 0)) == {
        "user-5",
        "+8613812345675",
    }
    graph.fold_deferred()
    assert graph.deferred() == set()
    equals_the_specification(graph)
