"""One example for each sentence of identity.md §3, §5 and §10."""

from __future__ import annotations

import pytest

from tern_common.identifiers import Identifier
from tern_identity.domain.canonical import canonical
from tern_identity.domain.holding import NEVER, NOBODYS, UNHELD, Claimed, Held, holder
from tern_identity.domain.placing import Customer, Standpoint, place, resolve
from tern_identity.domain.reading import day_of
from tern_identity.domain.rules import Rules
from unit.identity.histories import SHIPPED, START, TIGHT, WARY, Said, hear, heard
from unit.identity.memory_graph import MemoryGraph, customer_of

DAY = 24
TODAY = day_of(START)


def after(*history: Said, rules: Rules = SHIPPED) -> MemoryGraph:
    """The graph, each event filed in the order given."""
    graph = MemoryGraph(rules)
    for said in history:
        graph.file([hear(said)])
    return graph


def whose(graph: MemoryGraph, said: Said) -> tuple[str, str]:
    """The customer of the home where such an event is filed: its standing, and what names it."""
    customer = customer_of(graph, hear(said).reading)
    return customer.standing, graph.names[customer.node_id]


X, Y = ("person", "user-1"), ("person", "user-2")


def test_a_trusted_event_makes_its_identifiers_one_customer() -> None:
    graph = after(Said(1, 0, phone=1, email=1), Said(2, 1, user=1, phone=1))
    assert whose(graph, Said(1, 0, phone=1, email=1)) == X


def test_a_contested_phone_belongs_to_whoever_had_it_first_in_event_time() -> None:
    graph = after(Said(1, 5, user=2, phone=1), Said(2, 1, user=1, phone=1), Said(3, 9, phone=1))
    assert whose(graph, Said(3, 9, phone=1)) == X


def test_only_the_offending_identifier_is_left_out_never_its_neighbours() -> None:
    graph = after(Said(1, 0, user=2, phone=1), Said(2, 1, user=1, phone=1, email=1), Said(3, 2, email=1))
    assert whose(graph, Said(3, 2, email=1)) == X
    assert whose(graph, Said(2, 1, user=1)) == X


def test_a_refused_pair_is_known_to_the_specification() -> None:
    graph = after(Said(1, 0, user=2, phone=1), Said(2, 1, user=1, phone=1))
    refused = canonical(graph.ledger(), SHIPPED).refused
    assert [(graph.names[link.a], graph.names[link.b]) for link in refused] == [("user-1", "+8613812345671")]


def test_an_event_with_the_phone_of_one_and_the_email_of_another_goes_by_the_phone() -> None:
    graph = after(Said(1, 0, user=1, phone=1), Said(2, 0, user=2, email=1), Said(3, 1, phone=1, email=1))
    assert whose(graph, Said(3, 1, phone=1, email=1)) == X


def test_a_shared_phone_is_in_quarantine_and_its_pairs_wait() -> None:
    graph = after(*(Said(user, user * DAY, user=user, phone=1) for user in (1, 2, 3)), Said(9, 0, phone=1), rules=TIGHT)
    assert whose(graph, Said(9, 0, phone=1)) == ("value", "+8613812345671")
    assert customer_of(graph, hear(Said(9, 0, phone=1)).reading).is_shared


def test_an_email_beside_a_shared_phone_still_decides() -> None:
    shared = (Said(user, user * DAY, user=user, phone=1) for user in (1, 2, 3))
    graph = after(*shared, Said(4, 1, user=1, email=1), Said(9, 0, phone=1, email=1), rules=TIGHT)
    assert whose(graph, Said(9, 0, phone=1, email=1)) == X


def test_too_many_partners_within_an_hour_wait_until_an_earlier_saying_comes_to_light() -> None:
    fast = (Said(1, 50, email=1, phone=1), Said(2, 50, user=1, phone=1), Said(3, 51, email=2, phone=1))
    graph = after(*fast, rules=TIGHT)
    assert whose(graph, Said(9, 50, user=1)) == X
    assert graph.strong[graph.number(hear(fast[0]).reading.identifiers[0], TODAY)].guard == "velocity"
    graph.file([hear(Said(4, 0, email=2, phone=1))])
    assert graph.strong[graph.number(hear(fast[0]).reading.identifiers[0], TODAY)].guard is None
    assert graph.core(graph.number(hear(fast[1]).reading.identifiers[0], TODAY)) == {
        "user-1",
        "+8613812345671",
        "ann1@example.com",
        "ann2@example.com",
    }


def test_a_visitor_becomes_the_member_who_signs_in() -> None:
    visit = Said(1, 0, browser=1)
    assert whose(after(visit), visit) == ("visitor", "browser-1")
    assert whose(after(visit, Said(2, 1, user=1, browser=1)), visit) == X


def test_a_typed_contact_moves_nothing() -> None:
    visit = Said(1, 0, browser=1)
    stranger = Said(2, 0, user=1, email=1)
    graph = after(stranger, visit, Said(3, 1, email=1, browser=1, trusted=False))
    assert whose(graph, visit) == ("visitor", "browser-1")


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4, 5, 6), (6, 5, 4, 3, 2, 1, 0), (3, 0, 5, 1, 6, 2, 4)])
def test_two_members_on_one_browser_stay_two(order: tuple[int, ...]) -> None:
    """The table of identity.md §10, whatever the order of arrival."""
    story = (
        Said(1, 0, browser=1),
        Said(2, 1 * DAY, user=1, browser=1),
        Said(3, 2 * DAY, browser=1),
        Said(4, 3 * DAY, user=2, browser=1),
        Said(5, 3 * DAY + 1, browser=1),
        Said(6, 4 * DAY, browser=1),
        Said(7, 5 * DAY, user=1, browser=1),
    )
    graph = after(*(story[k] for k in order))
    nobody = ("browser", "browser-1")
    assert [whose(graph, said) for said in story] == [X, X, X, Y, nobody, nobody, X]
    assert graph.core(graph.number(hear(story[1]).reading.identifiers[0], TODAY)) == {"user-1"}


def test_a_login_that_is_older_moves_the_boundary_by_whole_homes() -> None:
    visits = [Said(1, 2 * DAY, browser=1), Said(2, 4 * DAY, browser=1)]
    graph = after(*visits, Said(3, 1 * DAY, user=1, browser=1), Said(4, 5 * DAY, user=2, browser=1))
    assert [whose(graph, visit) for visit in visits] == [X, X]
    graph.file([hear(Said(5, 3 * DAY, user=2, browser=1))])
    assert [whose(graph, visit) for visit in visits] == [X, ("browser", "browser-1")]


def test_two_on_the_first_day_make_it_nobodys_ever() -> None:
    graph = after(Said(1, 0, user=1, browser=1), Said(2, 3, user=2, browser=1), Said(3, 9 * DAY, browser=1))
    assert whose(graph, Said(3, 9 * DAY, browser=1)) == ("browser", "browser-1")


def test_a_login_outranks_a_contact() -> None:
    graph = after(Said(1, 0, phone=1, browser=1), Said(2, 2 * DAY, user=1, browser=1), Said(3, 1, browser=1))
    assert whose(graph, Said(3, 1, browser=1)) == X


def test_an_account_seen_on_too_many_browsers_holds_none() -> None:
    logins = [Said(browser, browser, user=1, browser=browser) for browser in (1, 2, 3)]
    visit = Said(9, 0, browser=1)
    assert whose(after(visit, *logins[:2], rules=TIGHT), visit) == X
    assert whose(after(visit, *logins, rules=TIGHT), visit) == ("visitor", "browser-1")


def test_an_id_once_published_resolves_to_whom_it_stands_for_now() -> None:
    visit = Said(1, 0, browser=1)
    graph = after(visit)
    visitor = customer_of(graph, hear(visit).reading)
    graph.file([hear(Said(2, 1, user=1, browser=1))])
    member = customer_of(graph, hear(visit).reading)
    assert graph.resolve(visitor) == member
    graph.file(heard([Said(3, 5 * DAY, user=2, browser=1), Said(4, 6 * DAY, browser=1)]))
    assert graph.resolve(visitor) == member
    shared = customer_of(graph, hear(Said(4, 6 * DAY, browser=1)).reading)
    assert graph.resolve(shared) == shared


def test_the_id_of_a_value_in_quarantine_is_its_own() -> None:
    alone = Standpoint(7, is_weak=False, core=3, eligible=False)
    assert resolve(alone, by_second_token=False) == Customer(7, "value")


def test_a_visitor_of_a_browser_that_was_never_anyones_resolves_to_the_shared_customer() -> None:
    assert resolve(Standpoint(7, is_weak=True, held=NOBODYS), by_second_token=False) == Customer(7, "browser")
    assert resolve(Standpoint(7, is_weak=True, held=UNHELD), by_second_token=False) == Customer(7, "visitor")


def test_two_browsers_of_two_persons_on_one_event_are_nobodys() -> None:
    ours = Standpoint(7, is_weak=True, held=Held(1, NEVER), holder_core=1)
    theirs = Standpoint(8, is_weak=True, held=Held(2, NEVER), holder_core=2)
    free = Standpoint(9, is_weak=True, held=UNHELD)
    shared = Standpoint(10, is_weak=True, held=NOBODYS)
    assert place([ours, theirs], day=5) == Customer(7, "browser")
    assert place([free, ours], day=5) == Customer(1, "person")
    assert place([ours, theirs, shared], day=5) == Customer(10, "browser")
    assert place([free, shared], day=5) == Customer(10, "browser")
    assert place([free], day=5) == Customer(9, "visitor")


def test_claims_that_do_not_count_hold_nothing() -> None:
    assert holder([Claimed(1, 1, 5, core=1, counts=False)]) == UNHELD
    assert holder([]) == UNHELD


def test_a_second_claim_of_the_same_core_shares_nothing() -> None:
    same = [Claimed(1, 1, 5, core=1, counts=True), Claimed(2, 1, 6, core=1, counts=True)]
    assert holder(same) == Held(1, NEVER)
    assert holder([*same, Claimed(3, 1, 9, core=3, counts=True)]) == Held(1, 9)
    assert holder([*same, Claimed(3, 2, 4, core=3, counts=True)]) == Held(1, NEVER)


def test_nothing_new_changes_no_version() -> None:
    history = (Said(1, 0, browser=1), Said(2, 1, user=1, browser=1), Said(3, 1, user=1, phone=1))
    graph = after(*history)
    known, version = dict(graph.members), graph.version
    graph.file(heard(history))
    assert (graph.members, graph.version) == (known, version)


def test_the_id_of_a_customer_is_its_members_else_its_unionids_else_that_of_whoever_was_born_first() -> None:
    graph = after(Said(1, 0, email=1), Said(2, 1, phone=1, email=1))
    assert whose(graph, Said(2, 1, phone=1, email=1)) == ("person", "ann1@example.com")
    graph.file([hear(Said(3, 2, union=1, phone=1))])
    assert whose(graph, Said(2, 1, phone=1, email=1)) == ("person", "union-1")
    graph.file([hear(Said(4, 3, user=1, phone=1))])
    assert whose(graph, Said(2, 1, phone=1, email=1)) == X


def test_an_event_of_one_with_the_phone_of_another_is_her_own() -> None:
    order = Said(3, 5, user=2, phone=1)
    assert whose(after(Said(1, 0, user=1, phone=1), order), order) == Y


def test_a_customer_has_no_more_values_of_a_namespace_than_the_limit() -> None:
    phones = [Said(phone, phone, user=1, phone=phone) for phone in (1, 2, 3, 4)]
    graph = after(*reversed(phones))
    member = graph.number(Identifier("user_id", "user-1"), TODAY)
    assert graph.core(member) == {"user-1", "+8613812345671", "+8613812345672", "+8613812345673"}


def test_one_openid_of_each_app_is_one_customer_and_a_second_of_the_same_is_not() -> None:
    graph = after(Said(1, 0, user=1, openid=1, other_openid=1), Said(2, 5, user=1, openid=2))
    member = graph.number(Identifier("user_id", "user-1"), TODAY)
    assert graph.core(member) == {"user-1", "openid-1", "other-openid-1"}


def test_pairs_with_a_value_in_quarantine_tie_nobody() -> None:
    """Three members who share a phone are not even in one group."""
    graph = after(*(Said(user, user * DAY, user=user, phone=1) for user in (1, 2, 3)), rules=TIGHT)
    assert len({row.grp for row in graph.strong.values()}) == len(graph.strong)


def test_a_source_that_is_distrusted_ties_nobody_and_takes_no_browser() -> None:
    visit, till = Said(1, 0, browser=1), Said(2, 1, phone=1, email=1, browser=1, till=True)
    assert whose(after(visit, till), visit)[0] == "person"
    wary = after(visit, till, rules=WARY)
    assert whose(wary, visit) == ("visitor", "browser-1")
    assert wary.core(wary.number(Identifier("phone", "+8613812345671"), TODAY)) == {"+8613812345671"}


def test_the_whole_day_of_the_second_login_is_nobodys() -> None:
    morning, evening = Said(1, 2 * DAY, browser=1), Said(4, 2 * DAY + 14, browser=1)
    graph = after(Said(2, 0, user=1, browser=1), morning, Said(3, 2 * DAY + 5, user=2, browser=1), evening)
    assert [whose(graph, visit) for visit in (morning, evening)] == [("browser", "browser-1")] * 2


def test_logged_in_you_are_always_yourself() -> None:
    logins = [Said(number, number * 5, user=number % 2 + 1, browser=1, trusted=False) for number in range(1, 9)]
    graph = after(*logins)
    assert [whose(graph, login) for login in logins] == [Y, X] * 4


def test_a_typed_email_never_moves_a_browser() -> None:
    visit = Said(1, 0, browser=1)
    graph = after(visit, Said(2, 1, user=1, browser=1), Said(3, 2, user=2, email=2))
    graph.file([hear(Said(4, 3, email=2, browser=1, trusted=False))])
    assert whose(graph, visit) == X
