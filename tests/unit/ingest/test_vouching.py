"""What a token vouches for: exactly what was signed and is stated, for its own user, on untrusted events alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace
from prometheus_client import REGISTRY

from tern_common.events import Event, decode_event
from tern_common.identifiers import Identifier, identifiers_of
from tern_ingest.domain.decisions import Accepted, record_key
from tern_ingest.domain.tokens import SignedUser, Signer
from tern_ingest.domain.vouching import SourceRule, Vouching, vouched_by, without_login
from unit.ingest.door import BROWSER_KEY, NOW, SERVER_KEY, FrontDoor
from unit.ingest.signing import KEY, SOURCE, signed, token
from unit.ingest.test_decisions import STAMP, decide

SIGNS = SourceRule((Signer(KEY.encode()),))
STRICT = SIGNS._replace(login_needs_token=True)
FULL = token(email="Ann@Example.com", phone="13800138000")
IDENTIFY: dict[str, Any] = {"type": "identify", "userId": "ann-1", "anonymousId": "browser-1"}
BOTH = {"email": "ann@example.com", "phone": "+86 138 0013 8000"}


def judged(user_token: object, rule: SourceRule = SIGNS, *, trusted: bool = False, **fields: Any) -> Accepted:
    """An identify with a token in its context."""
    context = {"user_token": user_token, **fields.pop("context", {})}
    stamp = STAMP._replace(trusted=trusted, rule=rule)
    (decision,) = decide(IDENTIFY | {"context": context} | fields, stamp)
    assert isinstance(decision, Accepted), decision
    assert b"user_token" not in bytes(decision.event.context)
    return decision


def vouched(user_token: object, **fields: Any) -> set[str]:
    return set(judged(user_token, **fields).event.vouched)


def test_exactly_what_is_signed_and_stated_is_vouched_for() -> None:
    assert vouched(FULL, traits=BOTH) == {"user_id", "email", "phone"}
    assert vouched(token(), traits=BOTH) == {"user_id"}
    assert vouched(FULL) == {"user_id"}
    assert vouched(FULL, traits={"email": "ann@example.com"}) == {"user_id", "email"}
    assert vouched(FULL, userId=None, traits=BOTH) == {"email", "phone"}


def test_values_are_compared_as_they_are_normalised() -> None:
    same = {"email": " ANN@example.com ", "phone": "１３８００１３８０００"}
    assert vouched(FULL, traits=same, userId=" ann-1 ") == {"user_id", "email", "phone"}


def test_a_value_that_was_not_signed_is_not_vouched_for() -> None:
    assert vouched(FULL, traits=BOTH | {"email": "eve@example.com"}) == {"user_id", "phone"}
    assert vouched(token(email="not an address"), traits={"email": "not an address"}) == {"user_id"}
    assert vouched(token(email=None, phone=None), traits=BOTH) == {"user_id"}


@pytest.mark.parametrize("name", ["Order Completed", "Checkout Started"])
def test_the_contacts_of_an_order_are_stated_too(name: str) -> None:
    order = {"type": "track", "event": name, "properties": {"email": "ann@example.com"}}
    assert vouched(FULL, **order) == {"user_id", "email"}


def test_a_token_of_another_user_vouches_for_nothing() -> None:
    """Else Eve's own token would make Eve's address a trusted contact of Ann."""
    decision = judged(token(sub="eve-1", email="eve@example.com"), traits={"email": "eve@example.com"})
    assert (decision.event.vouched, decision.token) == ((), "other-user")


def test_one_signed_value_does_not_vouch_for_another_of_its_namespace() -> None:
    user = SignedUser("ann-1", "ann@example.com", None)
    event = judged(None, traits={"email": "eve@example.com"}).event
    assert vouched_by(user, event) == ("user_id",)
    assert vouched_by(user, replace(event, traits=Raw(b'{"email":"ann@example.com"}'))) == ("user_id", "email")


@pytest.mark.parametrize(
    ("user_token", "why"),
    [
        ("eyJ", "malformed"),
        (5, "malformed"),
        ({"a": 1}, "malformed"),
        (False, "malformed"),
        (token(exp=1), "expired"),
        (token(aud="another"), "audience"),
        (token(key="uk_9_some-other-key-of-thirty-two-bytes-and-more"), "signature"),
        (signed({"sub": "ann-1"}, alg="none"), "algorithm"),
        (token(exp=10**10), "lives-too-long"),
    ],
)
def test_an_event_with_a_bad_token_counts_as_unsigned(user_token: object, why: str) -> None:
    decision = judged(user_token, traits=BOTH)
    assert (decision.event.vouched, decision.token) == ((), why)
    assert decision.event == judged(None, traits=BOTH).event


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_token_is_no_bad_token(nothing: object) -> None:
    assert judged(nothing).token is None


def test_a_source_without_keys_signs_nobody() -> None:
    assert judged(FULL, SourceRule()).token == "no-key"


def test_a_trusted_event_needs_no_token_and_loses_it() -> None:
    decision = judged(FULL, STRICT, trusted=True, traits=BOTH)
    assert (decision.event.vouched, decision.token, decision.event.user_id) == ((), None, "ann-1")
    assert judged(None, STRICT, trusted=True).event.user_id == "ann-1"


def test_a_token_counts_where_it_stands_and_nowhere_else() -> None:
    (decision,) = decide(IDENTIFY | {"user_token": FULL}, STAMP._replace(trusted=False, rule=SIGNS))
    assert isinstance(decision, Accepted)
    assert (decision.event.vouched, decision.token) == ((), None)
    assert not vouched(None, traits={"user_token": FULL})
    assert not vouched(None, context={"page": {"user_token": FULL}})


# --- sources whose logins must be signed ---


def test_an_unsigned_login_is_no_identifier_where_logins_are_signed() -> None:
    for bad in (None, token(exp=1), token(sub="eve-1"), "eyJ"):
        event = judged(bad, STRICT, traits=BOTH).event
        assert (event.user_id, event.unsigned_user_id) == (None, "ann-1")
        assert Identifier("user_id", "ann-1") not in identifiers_of(event)
        assert record_key(event) == b"browser-1"


def test_a_signed_login_is_a_login() -> None:
    event = judged(FULL, STRICT, traits=BOTH).event
    assert (event.user_id, event.unsigned_user_id) == ("ann-1", None)


def test_without_the_rule_an_unsigned_login_is_a_login() -> None:
    assert judged(None).event.user_id == "ann-1"


def test_a_visitor_stays_a_visitor() -> None:
    event = judged(None, STRICT, userId=None).event
    assert (event.user_id, event.unsigned_user_id) == (None, None)


def test_no_other_way_of_writing_a_login_is_left() -> None:
    """Ids in `context.externalIds` are read as the identifiers that they name."""
    ids = [{"type": "user_id", "id": "ann-1"}, {"type": "wechat_unionid", "id": "o6_bmjrPTlm6_2sgVt7hMZOPfL2M"}]
    event = judged(None, STRICT, context={"externalIds": ids, "ip": "203.0.113.7"}).event
    assert {identifier.namespace for identifier in identifiers_of(event)} <= {"anonymous_id"}
    assert json.loads(bytes(event.context))["ip"] == "203.0.113.7"


texts = st.none() | st.text(max_size=8) | st.sampled_from(["ann-1", "bob-1", "13800138000", "ann@example.com"])


@given(texts, texts, texts, texts, texts, texts)
def test_what_is_vouched_for_was_signed(
    sub: str | None, email: str | None, phone: str | None, user_id: str | None, mail: str | None, number: str | None
) -> None:
    signed_user = SignedUser(sub or "", email, phone)
    event = judged(None, userId=user_id, traits={"email": mail, "phone": number}).event
    found = vouched_by(signed_user, event) or ()
    own = {identifier.namespace: identifier.value for identifier in identifiers_of(event)}
    as_signed = judged(None, userId=sub, traits={"email": email, "phone": phone}).event
    theirs = {identifier.namespace: identifier.value for identifier in identifiers_of(as_signed)}
    assert all(own[namespace] == theirs[namespace] for namespace in found if namespace in own)


@given(st.sampled_from(["track", "identify", "page", "alias"]), texts, texts)
def test_an_event_without_its_login_names_no_user(kind: Any, user_id: str | None, previous: str | None) -> None:
    event = Event(
        message_id="m",
        type=kind,
        event_time=NOW,
        received_at=NOW,
        source_id=SOURCE,
        user_id=user_id,
        previous_id=previous,
    )
    left = without_login(event)
    assert "user_id" not in {identifier.namespace for identifier in identifiers_of(left)}
    assert replace(left, user_id=left.unsigned_user_id, unsigned_user_id=None) == event


def test_a_token_is_read_once_for_all_events_of_a_request() -> None:
    vouching = Vouching(SOURCE, SIGNS, NOW)
    event = judged(None).event
    for _ in range(3):
        assert vouching.judge(event, FULL)[0].vouched == ("user_id",)
    assert list(vouching._read) == [FULL]


# --- through the door ---


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("tern_ingest_user_tokens_total", {"outcome": outcome}) or 0


async def test_what_became_of_tokens_is_counted(door: FrontDoor) -> None:
    door.sign(SIGNS)
    before = [counted(outcome) for outcome in ("valid", "expired")]
    good, bad = ({"context": {"user_token": text}} for text in (FULL, token(exp=1)))
    await door.post({"batch": [IDENTIFY | good, IDENTIFY | good, IDENTIFY | bad]}, key=BROWSER_KEY)
    await door.post({"batch": [IDENTIFY | good]}, key=SERVER_KEY)
    assert [counted(outcome) for outcome in ("valid", "expired")] == [before[0] + 2, before[1] + 1]
    assert [event.get("vouched") for event in door.events()] == [["user_id"], ["user_id"], None, None]


async def test_logins_that_do_not_count_are_counted(door: FrontDoor) -> None:
    door.sign(STRICT)
    name = "tern_ingest_unsigned_logins_total"
    before = REGISTRY.get_sample_value(name) or 0
    await door.post({"batch": [IDENTIFY]}, key=BROWSER_KEY)
    (record,) = door.bus.sent("tern.events.v1")
    event = decode_event(record.value)
    assert (record.key, event.user_id, event.unsigned_user_id) == (b"browser-1", None, "ann-1")
    assert REGISTRY.get_sample_value(name) == before + 1
