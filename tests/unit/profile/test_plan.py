"""A batch, before anything stored is known: memberships by version, messages once, edges by version."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tern_profile.domain.consent import Consent, Key
from tern_profile.domain.fragment import Fragment
from tern_profile.domain.statements import Edge, Filed, Membership, Moved, Statement, plan, subjects_of, withdrawals_of
from unit.profile.saying import ANN, at, heard, identify, subject_of, track

H1, H2 = b"1" * 16, b"2" * 16


def filed(home: bytes, customer: str, version: int, message_id: str, hours: float = 1) -> Filed:
    return Filed(home, Membership(customer, version), message_id, at(hours), "{}", Fragment())


def moved(home: bytes, customer: str, version: int, *sources: str) -> Moved:
    edges = tuple((source, Edge(customer, version)) for source in sources)
    return Moved(((home, Membership(customer, version)),), edges)


def erased(home: bytes, version: int, *sources: str) -> Moved:
    return Moved(((home, Membership(None, version)),), tuple((source, Edge(None, version)) for source in sources))


def test_the_highest_version_wins() -> None:
    found = plan([filed(H1, "b", 7, "m"), filed(H1, "a", 3, "n"), moved(H2, "a", 4), moved(H2, "c", 9)])
    assert found.memberships == {H1: Membership("b", 7), H2: Membership("c", 9)}


def test_the_earliest_copy_of_a_message_counts() -> None:
    found = plan([filed(H1, "a", 1, "m", 5), filed(H1, "a", 1, "m", 2), filed(H1, "a", 1, "m", 9)])
    assert [said.event_time for said in found.filed.values()] == [at(2)]


def test_the_newest_edge_of_a_customer_counts() -> None:
    found = plan([moved(H1, "b", 5, "a"), moved(H1, "c", 9, "b", "a"), moved(H2, "d", 7, "a")])
    assert found.edges == {"a": Edge("c", 9), "b": Edge("c", 9)}


def test_an_erased_home_stays_erased_whatever_else_is_said_of_it() -> None:
    found = plan([filed(H1, "a", 3, "m"), erased(H1, 4, "a"), moved(H1, "b", 9, "a")])
    assert found.memberships == {H1: Membership(None, 4)}
    assert found.edges == {"a": Edge("b", 9)}


_statements = st.lists(
    st.builds(
        filed, st.sampled_from([H1, H2]), st.just("c"), st.integers(0, 5), st.sampled_from("mn"), st.integers(0, 3)
    )
    | st.builds(moved, st.sampled_from([H1, H2]), st.just("c"), st.integers(0, 5), st.sampled_from("ab"))
    | st.builds(erased, st.sampled_from([H1, H2]), st.integers(0, 5)),
    max_size=8,
)


@given(_statements, st.randoms(use_true_random=False))
def test_the_order_of_a_batch_does_not_matter(said: list[Statement], random: Random) -> None:
    one, other = plan(said), plan(random.sample(said, len(said)))
    assert (one.memberships, one.edges) == (other.memberships, other.edges)
    assert {key: said.event_time for key, said in one.filed.items()} == {
        key: said.event_time for key, said in other.filed.items()
    }


def test_only_consent_that_names_a_contact_has_a_subject() -> None:
    named = track("Consent Granted", 1, channel="email", email=ANN)
    assert subjects_of(heard(named, track("Consent Granted", 1, "own", channel="email"))) == {subject_of("email", ANN)}
    assert subjects_of(heard(identify(1, email=ANN))) == set()
    assert subjects_of(Fragment()) == set()


def test_what_is_kept_of_an_erased_home_is_what_it_withdrew_from_named_contacts() -> None:
    fragment = heard(
        track("Consent Withdrawn", 2, channel="email", email=ANN),
        track("Consent Granted", 3, "granted", channel="email", email=ANN),
        track("Consent Granted", 3, "other", channel="sms", email=ANN),
        track("Consent Withdrawn", 4, "own", channel="push"),
    )
    key = Key(subject_of("email", ANN), "marketing", "email")
    assert withdrawals_of(fragment) == {key: Consent(withdrawn_at=at(2))}
    assert withdrawals_of(Fragment()) == {}
