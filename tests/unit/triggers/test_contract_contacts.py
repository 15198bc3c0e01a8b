"""Whatever profiles say, no address leaves Tern that its own consent does not cover."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tern_common.events import Contact
from tern_triggers.domain import contract
from tern_triggers.domain.folds.telling import stories
from tern_triggers.domain.policy import Arbiter
from tern_triggers.domain.rounds import Safe, decide
from tern_triggers.domain.rules import ruleset
from tern_triggers.domain.view import Verdicts
from unit.triggers.saying import CART, POLICY, at, snap, view

READY = 65
CHANNELS = ("email", "sms", "push", "call")
POINT_OF = {"email": "email", "sms": "phone", "call": "phone"}

verdicts = st.dictionaries(st.sampled_from(CHANNELS), st.booleans())
points = st.dictionaries(
    st.sampled_from(("email", "phone")), st.tuples(st.integers(0, 5), st.booleans(), st.booleans())
)


@st.composite
def profiles(draw: st.DrawFn, name: str) -> Verdicts:
    """Its addresses name it, so that it shows whose they are."""
    contacts = {
        kind: Contact(value=f"{name}-{kind}-{number}", trusted=trusted, doubtful=doubtful)
        for kind, (number, trusted, doubtful) in draw(points).items()
    }
    return Verdicts(consent={"marketing": draw(verdicts), "service": draw(verdicts)}, contacts=contacts)


@settings(max_examples=300)
@given(
    own=st.none() | profiles("own"),
    first=profiles("first"),
    second=profiles("second"),
    channels=st.permutations(CHANNELS),
    untrusted=st.booleans(),
)
def test_an_address_stands_only_beside_a_channel_that_its_own_profile_grants_and_none_refuses(
    own: Verdicts | None, first: Verdicts, second: Verdicts, channels: list[str], *, untrusted: bool
) -> None:
    rules = ruleset([CART.model_copy(update={"channels": tuple(channels)})])
    policy = POLICY.model_copy(update={"arbiter": Arbiter(caps=(), untrusted_contacts=untrusted)})
    seen = view(snap(0, "m1", "tea"), profile=own, former=[first, second])
    made = decide(rules, stories(rules, seen, policy), seen, policy, Safe(at(READY), at(READY)), at(READY))
    assume(made.rulings)
    (ruling,) = made.rulings
    data = contract.fired(ruling, seen, "/tern/test").data
    by_name = {"own": own, "first": first, "second": second}
    for allowed in data.channels:
        speaking = [own] if own is not None else [first, second]
        assert any(profile.of("marketing", allowed.channel) for profile in speaking)
        assert all(profile.of("marketing", allowed.channel) is not False for profile in (first, second))
        if allowed.contact is not None:
            name, kind, _ = allowed.contact.split("-")
            whose = by_name[name]
            assert whose is not None
            assert whose in speaking
            assert whose.of("marketing", allowed.channel) is True
            assert kind == POINT_OF[allowed.channel]
            assert untrusted or allowed.channel == "push" or whose.contacts[kind].trusted
