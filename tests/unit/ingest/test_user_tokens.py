"""User tokens: HS256 and nothing else, for one source, for a day at most, and no bytes break it."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tern_ingest.domain import tokens
from tern_ingest.domain.tokens import LONGEST, SignedUser, Signer, verify
from unit.ingest.door import NOW
from unit.ingest.signing import KEY, SOURCE, b64, claims, signed, token

SIGNERS = (Signer(KEY.encode()),)
HOUR, MINUTE = 3600, 60
T = int(NOW.timestamp())

# RFC 7515, appendix A.1
RFC_TOKEN = (
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
    ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)
RFC_KEY = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow=="


def judged(text: object, signers: tuple[Signer, ...] = SIGNERS, now: datetime = NOW) -> object:
    return verify(text, SOURCE, signers, now)


def test_a_good_token_says_what_was_signed() -> None:
    full = token(email="Ann@Example.com", phone="138 0013 8000")
    assert judged(full) == SignedUser("ann-1", "Ann@Example.com", "138 0013 8000")
    assert judged(token()) == SignedUser("ann-1", None, None)


def test_another_maker_of_tokens_is_understood() -> None:
    assert judged(jwt.encode(claims(), KEY, algorithm="HS256")) == SignedUser("ann-1", None, None)


def test_the_vector_of_the_rfc_is_verified() -> None:
    """Its claims are none of ours; that it is they that are refused shows that the signature was good."""
    signer = Signer(base64.urlsafe_b64decode(RFC_KEY))
    assert judged(RFC_TOKEN, (signer,)) == "malformed"
    assert judged(RFC_TOKEN) == "signature"
    assert tokens._signed(RFC_TOKEN, (signer,)) == (
        b'{"iss":"joe",\r\n "exp":1300819380,\r\n "http://example.com/is_root":true}'
    )


def test_both_live_keys_are_tried() -> None:
    other = Signer(b"uk_2_another-signing-key-of-thirty-two-bytes")
    assert judged(token(), (other, *SIGNERS)) == judged(token(), (*SIGNERS, other)) == SignedUser("ann-1", None, None)
    assert judged(token(), (other,)) == "signature"
    assert judged(token(), ()) == "no-key"


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "HS512"},
        {"alg": "RS256"},
        {"alg": "hs256"},
        {"alg": ""},
        {"alg": None},
        {"alg": "None"},
    ],
)
def test_no_other_algorithm_counts(header: dict[str, Any]) -> None:
    assert judged(signed(claims(), **header)) == "algorithm"
    text = signed(claims(), **header).rpartition(".")[0]
    assert judged(f"{text}.") == "malformed"


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["b64"], "b64": False},
        {"crit": ["exp"]},
        {"crit": "x"},
        {"crit": []},
        {"b64": False},
        {"kid": 5},
    ],
)
def test_a_header_that_asks_for_more_is_malformed(header: dict[str, Any]) -> None:
    assert judged(signed(claims(), **header)) == "malformed"


@pytest.mark.parametrize("aud", ["", "another", SOURCE + " ", [], ["another"], SOURCE.upper()])
def test_a_token_for_another_source_counts_for_nothing(aud: object) -> None:
    assert judged(token(aud=aud)) == "audience"


def test_an_audience_may_be_a_list() -> None:
    assert judged(token(aud=["another", SOURCE])) == SignedUser("ann-1", None, None)


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"exp": T + 1}, "valid"),
        ({"exp": T - MINUTE + 1}, "valid"),
        ({"exp": T - MINUTE}, "expired"),
        ({"exp": -1e400}, "malformed"),
        ({"exp": T + 24 * HOUR + MINUTE}, "valid"),
        ({"exp": T + 24 * HOUR + MINUTE + 1}, "lives-too-long"),
        ({"exp": 1e300}, "lives-too-long"),
        ({"iat": T - 20 * HOUR, "exp": T + 4 * HOUR + MINUTE}, "valid"),
        ({"iat": T - 20 * HOUR, "exp": T + 4 * HOUR + MINUTE + 1}, "lives-too-long"),
        ({"iat": T + MINUTE}, "valid"),
        ({"iat": T + MINUTE + 1, "exp": T + 2 * MINUTE}, "not-yet-valid"),
        ({"nbf": T + MINUTE + 1}, "not-yet-valid"),
        ({"nbf": T - 1, "iat": T - 1.5}, "valid"),
    ],
)
def test_a_token_lives_for_a_day_at_most(changed: dict[str, Any], found: str) -> None:
    verdict = judged(token(**changed))
    assert (verdict if isinstance(verdict, str) else "valid") == found


@pytest.mark.parametrize("missing", ["sub", "aud", "exp"])
def test_what_is_required_is_required(missing: str) -> None:
    said = claims()
    del said[missing]
    assert judged(signed(said)) == "malformed"


@pytest.mark.parametrize(
    "changed",
    [{"exp": True}, {"exp": str(T + HOUR)}, {"exp": None}, {"sub": 5}, {"email": ["a"]}, {"aud": {"shop": 1}}],
)
def test_a_claim_of_another_type_is_malformed(changed: dict[str, Any]) -> None:
    assert judged(token(**changed)) == "malformed"


@pytest.mark.parametrize(
    "text",
    [
        *(None, 5, True, [], {}, "", ".", "..", "a.b", "a.b.c.d", "eyJ", "é.é.é", "\x00.\x00.\x00"),
        *(token() + "=", token() + "\n", " " + token(), token() + ".", token().replace(".", "..")),
        b64(b"[" * 2000) + ".e30.e30",
        f"{b64(b'{')}.e30.e30",
        f"{b64(b'5')}.e30.e30",
        signed([]),
        signed("x" * LONGEST),
    ],
)
def test_what_is_no_token_is_malformed(text: object) -> None:
    assert judged(text) == "malformed"


def test_a_signature_over_something_else_does_not_count() -> None:
    head, _, signature = token().split(".")
    other = b64(json.dumps(claims(sub="bob-1")).encode())
    assert judged(f"{head}.{other}.{signature}") == "signature"


def test_a_deeply_nested_payload_is_malformed() -> None:
    deep = jwt.PyJWS().encode(b"[" * 2500, KEY, "HS256")
    assert len(deep) < LONGEST
    assert judged(deep) == "malformed"


segments = st.text(st.characters(codec="utf-8"), max_size=40) | st.binary(max_size=40).map(b64)


@given(st.text() | st.lists(segments, min_size=2, max_size=4).map(".".join))
def test_garbage_never_raises(text: str) -> None:
    assert isinstance(judged(text), str)
    assert isinstance(judged(text, ()), str)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(json_values | st.dictionaries(st.sampled_from(["sub", "aud", "exp", "iat", "nbf", "email"]), json_values))
def test_signed_garbage_never_raises(said: object) -> None:
    judged(signed(said))


@given(st.dictionaries(st.sampled_from(["alg", "crit", "b64", "kid", "typ", "zip"]), json_values))
def test_a_garbled_header_never_raises(header: dict[str, Any]) -> None:
    judged(signed(claims(), **header))


@given(st.integers(0, 10_000), st.integers(0, 5))
def test_no_changed_token_counts(place: int, step: int) -> None:
    """But for the last character, whose low bits are no part of the signature."""
    good = token()
    place %= len(good) - 1
    changed = good[:place] + "AZaz09"[step] + good[place + 1 :]
    assert changed == good or isinstance(judged(changed), str)


def test_a_token_never_lives_longer_than_from_its_first_to_its_last_minute() -> None:
    good = token(exp=T + HOUR)
    moments = [NOW + timedelta(seconds=s) for s in (-23 * HOUR - MINUTE, HOUR + MINUTE - 1, HOUR + MINUTE)]
    assert [isinstance(judged(good, SIGNERS, now), SignedUser) for now in moments] == [True, True, False]


def test_a_key_is_in_no_repr() -> None:
    assert KEY not in repr(SIGNERS)
    assert tokens.write("0a", "b") == "uk_0a_b"
