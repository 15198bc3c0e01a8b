"""One example for each sentence of identity.md §6: what operators can do, and take back."""

from __future__ import annotations

from tern_common.identifiers import Identifier
from tern_identity.domain.rules import Rules
from unit.identity.acts import TODAY, Act, Item
from unit.identity.histories import SHIPPED, TIGHT, Said, hear
from unit.identity.memory_graph import customer_of
from unit.identity.promises import whose
from unit.identity.ruled_graph import RuledGraph

DAY = 24
X, Y = Identifier("user_id", "user-1"), Identifier("user_id", "user-2")
PHONE, EMAIL = Identifier("phone", "+8613812345671"), Identifier("email", "ann1@example.com")
BROWSER = Identifier("anonymous_id", "browser-1")
ANN = frozenset({X.value, PHONE.value, EMAIL.value})
UNDO = Act("undo", back=1)

STORY = (Said(1, 0, user=1, email=1), Said(2, 1, phone=1, email=1))
"""Her e-mail, then her phone beside it: the second pair joins the phone to her."""


def after(*history: Item, rules: Rules = SHIPPED) -> RuledGraph:
    graph = RuledGraph(rules)
    for item in history:
        graph.take(item if isinstance(item, Act) else [item])
    return graph


def core(graph: RuledGraph, identifier: Identifier, day: int = TODAY) -> frozenset[str]:
    return graph.core(graph.number(identifier, day))


def customers(graph: RuledGraph) -> dict[str, object]:
    return {home_id: member.customer for home_id, member in graph.members.items()}


def test_a_reverted_pair_no_longer_counts_even_if_said_again() -> None:
    graph = after(*STORY, Act("revert", (PHONE,), (EMAIL,), TODAY), Said(3, 5, phone=1, email=1))
    assert core(graph, X) == {X.value, EMAIL.value}
    assert core(graph, PHONE) == {PHONE.value}


def test_after_a_revert_no_other_path_joins_the_two() -> None:
    graph = after(*STORY, Act("revert", (PHONE,), (EMAIL,), TODAY), Said(3, 5, user=1, phone=1))
    assert core(graph, PHONE) == {PHONE.value}


def test_a_revert_gives_back_partition_and_ids_of_the_ledger_without_the_pair() -> None:
    calls = [Said(8, 0, phone=1), *STORY[:1]]
    before, graph = after(*calls), after(*calls, STORY[1])
    assert core(graph, X) == ANN
    graph.take(Act("revert", (PHONE,), (EMAIL,), TODAY))
    assert core(graph, X) == core(before, X)
    assert {home: customers(graph)[home] for home in before.members} == customers(before)


def test_what_is_undone_is_as_if_it_had_never_been_said() -> None:
    for act in (
        Act("revert", (PHONE,), (EMAIL,), TODAY),
        Act("cannot", (X,), (PHONE,), TODAY),
        Act("split", (X,), (PHONE, EMAIL), TODAY),
        Act("block", (EMAIL,), (), TODAY),
        Act("retire", (EMAIL,), (), TODAY),
    ):
        graph = after(*STORY, act)
        assert core(graph, X) != ANN
        graph.take(UNDO)
        assert core(graph, X) == ANN
        assert customers(graph) == customers(after(*STORY))


def test_a_link_that_cannot_be_is_refused_whenever_it_was_said() -> None:
    """Without a place in time: earlier pairs do not join the two either."""
    graph = after(*STORY, Act("cannot", (X,), (PHONE,), TODAY + 3))
    assert core(graph, X) == {X.value, EMAIL.value}


def test_a_browser_is_never_held_by_those_from_whom_it_is_kept() -> None:
    login, visit = Said(1, 0, user=1, browser=1), Said(2, 1, browser=1)
    graph = after(login, visit, Act("cannot", (X,), (BROWSER,), TODAY))
    assert whose(graph, visit) == ("visitor", BROWSER.value)


def test_nor_by_anybody_who_becomes_one_customer_with_them() -> None:
    login, visit = Said(1, 0, user=1, browser=1), Said(2, 1, browser=1)
    graph = after(login, visit, Act("cannot", (PHONE,), (BROWSER,), TODAY))
    assert whose(graph, visit) == {X.value}
    graph.take([Said(3, 2, user=1, phone=1)])
    assert whose(graph, visit) == ("visitor", BROWSER.value)


def test_the_sides_of_a_split_never_meet_again() -> None:
    graph = after(*STORY, Act("split", (X,), (PHONE, EMAIL), TODAY), Said(3, 5, user=1, phone=1), *STORY)
    assert core(graph, X) == {X.value}


def test_each_side_of_a_split_keeps_together() -> None:
    """Also those whom no pair of their own ties: the e-mail that did so is on the other side."""
    graph = after(*STORY, Act("split", (X, PHONE), (EMAIL,), TODAY))
    assert core(graph, X) == {X.value, PHONE.value}


def test_each_side_keeps_together_whatever_links_the_split_sets_free() -> None:
    """An operator's word goes before all time: Y's older pair with the phone does not win it back."""
    graph = after(
        Said(1, 5, user=1, phone=1, email=1), Act("split", (X, PHONE), (EMAIL,), TODAY), Said(2, 1, user=2, phone=1)
    )
    assert core(graph, X) == {X.value, PHONE.value}
    assert core(graph, Y) == {Y.value}


def test_a_split_may_free_links_that_were_refused_until_now() -> None:
    told = (Said(1, 0, user=1, phone=1), Said(2, 5, user=2, phone=1))
    assert core(after(*told), Y) == {Y.value}
    assert core(after(*told, Act("split", (X,), (PHONE,), TODAY)), Y) == {Y.value, PHONE.value}


def test_a_blocked_value_is_in_quarantine_and_joins_nobody() -> None:
    order = Said(9, 1, email=1)
    graph = after(*STORY, order, Act("block", (EMAIL,), (), TODAY))
    assert core(graph, X) == {X.value}
    assert core(graph, PHONE) == {PHONE.value}
    assert whose(graph, order) == ("value", EMAIL.value)


def test_when_a_value_leaves_quarantine_its_waiting_pairs_apply_at_their_own_times() -> None:
    contest = (Said(1, 1, user=1, phone=1), Said(2, 5, user=2, phone=1))
    graph = after(Act("block", (PHONE,), (), TODAY), *reversed(contest))
    assert core(graph, PHONE) == {PHONE.value}
    graph.take(UNDO)
    assert core(graph, PHONE) == {X.value, PHONE.value}


def test_an_allowed_value_is_out_of_quarantine_whatever_is_counted() -> None:
    crowd = [Said(user, user * DAY, user=user, phone=1) for user in (1, 2, 3)]
    assert core(after(*crowd, rules=TIGHT), PHONE) == {PHONE.value}
    assert core(after(*crowd, Act("allow", (PHONE,), (), TODAY), rules=TIGHT), PHONE) == {X.value, PHONE.value}


def test_a_blocked_browser_is_nobodys() -> None:
    login, visit = Said(1, 0, user=1, browser=1), Said(2, 1, browser=1)
    graph = after(login, visit, Act("block", (BROWSER,), (), TODAY))
    assert whose(graph, visit) == ("browser", BROWSER.value)


def test_from_the_day_it_is_retired_a_number_is_another_persons() -> None:
    graph = after(Said(1, 0, user=1, phone=1), Said(2, 3 * DAY, user=2, phone=1))
    assert core(graph, Y) == {Y.value}
    graph.take(Act("retire", (PHONE,), (), TODAY + 2))
    assert core(graph, X) == {X.value, PHONE.value}
    assert core(graph, Y) == {Y.value, f"{PHONE.value} from {TODAY + 2}"}


def test_homes_of_that_day_and_later_follow_the_new_era_and_none_is_cut() -> None:
    early, late = Said(3, 1, phone=1), Said(4, 4 * DAY, phone=1)
    graph = after(Said(1, 0, user=1, phone=1), early, late)
    assert whose(graph, late) == {X.value, PHONE.value}
    graph.take(Act("retire", (PHONE,), (), TODAY + 2))
    assert whose(graph, early) == {X.value, PHONE.value}
    assert whose(graph, late) == {f"{PHONE.value} from {TODAY + 2}"}


def test_the_id_of_an_era_that_was_taken_back_stands_for_whom_it_went_back_to() -> None:
    late = Said(4, 4 * DAY, phone=1)
    graph = after(Said(1, 0, user=1, phone=1), late, Act("retire", (PHONE,), (), TODAY + 2))
    stranger = customer_of(graph, hear(late, SHIPPED.known).reading)
    graph.take(UNDO)
    assert graph.resolve(stranger) == customer_of(graph, hear(Said(1, 0, user=1), SHIPPED.known).reading)


def test_a_sold_device_is_the_buyers_from_that_day() -> None:
    first, second = Said(1, 0, user=1, browser=1), Said(2, 5 * DAY, user=2, browser=1)
    before, since = Said(3, 1, browser=1), Said(4, 6 * DAY, browser=1)
    graph = after(first, second, before, since)
    assert whose(graph, since) == ("browser", BROWSER.value)
    graph.take(Act("retire", (BROWSER,), (), TODAY + 4))
    assert whose(graph, before) == {X.value}
    assert whose(graph, since) == {Y.value}


def test_words_act_on_the_era_of_the_day_they_name() -> None:
    told = (Said(1, 0, user=1, phone=1), Said(2, 3 * DAY, user=2, phone=1), Act("retire", (PHONE,), (), TODAY + 2))
    graph = after(*told, Act("block", (PHONE,), (), TODAY + 2))
    assert core(graph, X) == {X.value, PHONE.value}
    assert core(graph, Y) == {Y.value}
