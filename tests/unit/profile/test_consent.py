"""Consent: three maxima, and a verdict that refuses whenever it is in doubt (profile.md, Consent)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tern_common.events import Event
from tern_profile.domain import consent, standing
from tern_profile.domain.consent import Consent, Grant, combine
from tern_profile.domain.fragment import fold
from tern_profile.domain.record import TOPICS_KEPT, Known, Named, Topic, verdicts
from tern_profile.domain.standing import TOPICS, Standing
from unit.profile.saying import ANN, BOB, POLICY, at, heard, identify, subject_of, track

PHONE = "+4915112345678"

_statements = st.builds(
    consent.said, st.booleans(), st.integers(0, 3).map(at), st.booleans(), st.sampled_from([None, "form"])
)
_consents = st.lists(_statements, max_size=4).map(lambda said: reduce(combine, said, Consent()))


@given(_consents, _consents, _consents)
def test_maxima_are_commutative_associative_and_idempotent(a: Consent, b: Consent, c: Consent) -> None:
    assert combine(a, b) == combine(b, a)
    assert combine(combine(a, b), c) == combine(a, combine(b, c))
    assert combine(a, a) == a


@given(_consents, _consents)
def test_a_withdrawal_never_grants(a: Consent, b: Consent) -> None:
    """More withdrawals can only turn a verdict to no."""
    more = combine(a, Consent(withdrawn_at=b.withdrawn_at))
    if not consent.allowed([consent.counting(a)], [a.withdrawn_at]):
        assert not consent.allowed([consent.counting(more)], [more.withdrawn_at])


def grant(hours: float, channel: str = "email", *, trusted: bool = False, **properties: Any) -> Event:
    return track("Consent Granted", hours, f"g{channel}{hours}", trusted=trusted, channel=channel, **properties)


def withdraw(hours: float, channel: str = "email", **properties: Any) -> Event:
    return track("Consent Withdrawn", hours, f"w{channel}{hours}", channel=channel, **properties)


def named(*said: Event) -> Named:
    """What all homes together say about contacts."""
    found: dict[str, dict[Topic, Consent]] = {}
    for text, one in (heard(*said).standing or Standing()).consents.items():
        key = consent.key_of(text)
        found.setdefault(key.subject, {})[key.purpose, key.channel] = one
    return found


def allows(*said: Event, elsewhere: tuple[Event, ...] = (), channel: str = "email", shared: bool = False) -> bool:
    """The verdict for a customer whose homes say `said`, while other homes say `elsewhere`."""
    known = Known("c", standing=heard(*said).standing or Standing(), shared=shared)
    found = verdicts(known, named(*said, *elsewhere), subject_of)
    return found.get("marketing", {}).get(channel, False)


ANNS = identify(0, trusted=True, email=ANN, phone=PHONE)
TYPED = identify(0, email=ANN)


def test_missing_refuses() -> None:
    assert not allows(ANNS)


def test_granted_after_withdrawn_is_allowed() -> None:
    assert allows(ANNS, withdraw(1), grant(2))


def test_withdrawn_after_granted_is_refused() -> None:
    assert not allows(ANNS, grant(1), withdraw(2))


def test_a_tie_refuses() -> None:
    assert not allows(ANNS, grant(1), withdraw(1))


def test_a_grant_that_names_a_contact_counts_while_that_contact_was_never_withdrawn() -> None:
    assert allows(TYPED, grant(1, email=ANN))


def test_after_a_withdrawal_only_a_trusted_event_can_grant_a_contact_again() -> None:
    assert not allows(ANNS, withdraw(1, email=ANN), grant(2, email=ANN))
    assert allows(ANNS, withdraw(1, email=ANN), grant(2, trusted=True, email=ANN))


def test_a_late_withdrawal_devalues_the_untrusted_grants_before_and_after_it() -> None:
    assert not allows(ANNS, grant(2, email=ANN), withdraw(1, email=ANN))


def test_a_trusted_grant_is_withdrawn_by_anyone() -> None:
    assert not allows(ANNS, grant(1, trusted=True, email=ANN), elsewhere=(withdraw(2, email=ANN),))


def test_an_opt_out_on_a_shared_browser_binds_the_contact_it_names() -> None:
    assert not allows(ANNS, grant(1), elsewhere=(withdraw(2, email=ANN),))


def test_what_names_a_contact_does_not_bind_another() -> None:
    assert allows(ANNS, grant(1, email=ANN), elsewhere=(withdraw(2, email=BOB),))
    assert not allows(ANNS, elsewhere=(grant(1, trusted=True, email=BOB),))


def test_a_contact_elsewhere_granted_counts_for_whoever_has_it() -> None:
    assert allows(ANNS, elsewhere=(grant(1, trusted=True, email=ANN),))


def test_the_verdict_is_per_channel_and_purpose() -> None:
    assert not allows(ANNS, grant(1, "sms"))
    assert allows(ANNS, grant(1, "sms"), channel="sms")
    assert not allows(ANNS, grant(1, purpose="analytics"))


def test_a_typed_contact_speaks_only_for_the_channel_that_reaches_it() -> None:
    """Whoever types Ann's e-mail does not get her consent to a push on his own device."""
    hers = (grant(1, "push", trusted=True, email=ANN),)
    assert not allows(TYPED, elsewhere=hers, channel="push")
    assert allows(ANNS, elsewhere=hers, channel="push")


def test_a_shared_customer_can_be_contacted_by_nobody() -> None:
    assert not allows(ANNS, grant(1), shared=True)


def test_without_a_contact_of_that_channel_the_own_homes_decide() -> None:
    assert allows(grant(1))


SHOUTED = [withdraw(1, f"{word}{number}", email=ANN, purpose="a" * 30) for word in ("x", "y") for number in range(400)]
"""What anyone on the internet may say."""


class TestCrowded:
    """A record names a bounded number of topics, and who only names a contact pushes out nothing that counts."""

    @staticmethod
    def topics(*said: Event, elsewhere: Iterable[Event]) -> dict[Topic, bool]:
        known = Known("c", standing=heard(*said).standing or Standing())
        found = verdicts(known, named(*said, *elsewhere), subject_of)
        return {(purpose, channel): verdict for purpose, one in found.items() for channel, verdict in one.items()}

    def test_topics_without_end_do_not_grow_a_record_without_end(self) -> None:
        assert len(self.topics(ANNS, elsewhere=SHOUTED)) == TOPICS_KEPT

    def test_the_order_of_what_was_said_does_not_matter(self) -> None:
        found = self.topics(ANNS, elsewhere=SHOUTED)
        assert list(found) == sorted(found) == list(self.topics(ANNS, elsewhere=SHOUTED[::-1]))

    def test_what_is_plain_trusted_own_or_allowed_stays(self) -> None:
        counted = {
            ("marketing", "sms"): (withdraw(1, "sms", email=ANN),),
            ("z-shop", "email"): (grant(1, trusted=True, email=ANN, purpose="z-shop"), withdraw(2, purpose="z-shop")),
            ("z-own", "email"): (withdraw(3, purpose="z-own"),),
            ("z-typed", "email"): (grant(4, email=ANN, purpose="z-typed"),),
        }
        said = [event for one in counted.values() for event in one]
        own = [one for one in said if "email" not in msgspec.json.decode(one.properties)]
        found = self.topics(ANNS, *own, elsewhere=[*SHOUTED, *said])
        assert {topic: found.get(topic) for topic in counted} == dict(
            zip(counted, (False, False, False, True), strict=True)
        )

    def test_grants_that_anyone_may_say_displace_nothing_either(self) -> None:
        shouted = [grant(1, f"a{number}", email=ANN, purpose="a") for number in range(400)]
        shop = grant(2, trusted=True, email=ANN, purpose="z-shop")
        found = self.topics(ANNS, withdraw(3, purpose="z-own"), grant(4), elsewhere=[*shouted, shop])
        assert (found["z-shop", "email"], found["z-own", "email"], found["marketing", "email"]) == (True, False, True)


def test_the_newest_grant_keeps_its_proof() -> None:
    found = heard(grant(1, email=ANN, proof="form"), grant(2, email=ANN, proof="till")).standing
    assert found is not None
    (one,) = found.consents.values()
    assert one.granted == Grant(at(2), "till")
    assert one.trusted is None


class TestManyTopics:
    """Anyone may say any purpose: only so many are kept of those that are said of no contact."""

    def test_of_any_number_so_many_are_kept_and_the_plain_ones_are_never_displaced(self) -> None:
        junk = [withdraw(n / 100, purpose=f"a{n:03}") for n in range(TOPICS + 44)]
        kept = heard(*junk, grant(9), withdraw(9, "push")).standing or Standing()
        assert len(kept.consents) == TOPICS
        assert kept.consents.keys() >= {"/marketing/email", "/marketing/push", "/a000/email"}
        assert kept.withdrawn == at((TOPICS + 43) / 100), "the newest that is not kept"

    def test_contacts_are_not_counted_among_them(self) -> None:
        said = [grant(n / 1000, email=f"ann{n}@example.com") for n in range(TOPICS + 44)]
        found = heard(*said, grant(9, purpose="z")).standing or Standing()
        assert (len(found.consents), found.withdrawn) == (TOPICS + 45, None)

    def test_what_was_withdrawn_and_is_not_kept_refuses_what_a_contact_was_granted_before(self) -> None:
        junk = [grant(n / 1000, purpose=f"a{n:03}") for n in range(TOPICS)]
        granted = grant(4, trusted=True, email=ANN, purpose="z")
        withdrawn = withdraw(5, purpose="z")

        def verdict(*said: Event) -> bool | None:
            known = Known("c", standing=heard(*said).standing or Standing())
            return verdicts(known, named(granted), subject_of).get("z", {}).get("email")

        assert verdict(ANNS) is True
        assert verdict(ANNS, withdrawn) is False
        assert verdict(ANNS, withdrawn, *junk) is False
        assert verdict(ANNS, *junk) is True, "nobody refused"

    @given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 5), st.booleans()), max_size=20), st.integers(0, 20))
    def test_however_it_is_folded_the_same_is_kept_and_nothing_is_allowed_that_was_withdrawn(
        self, said: list[tuple[int, int, bool]], cut: int
    ) -> None:
        events = [
            msgspec.structs.replace((grant if granted else withdraw)(hours, purpose=f"p{topic}"), message_id=str(n))
            for n, (topic, hours, granted) in enumerate(said)
        ]
        whole = heard(*events)
        with pytest.MonkeyPatch.context() as few:
            few.setattr(standing, "TOPICS", 3)
            parts = [heard(*events[cut:]), heard(*events[:cut])]
            bounded = fold(parts, POLICY)
            assert bounded == fold([whole], POLICY) == heard(*reversed(events))
        some = verdicts(Known("c", standing=bounded.standing or Standing()), {}, subject_of)
        every = verdicts(Known("c", standing=whole.standing or Standing()), {}, subject_of)
        assert all(every[purpose][name] for purpose, by in some.items() for name, allowed in by.items() if allowed)
