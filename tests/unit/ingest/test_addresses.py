"""Where a request came from: `context.ip`, else the peer, and X-Forwarded-For from trusted proxies only."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from tern_ingest.domain import addresses
from tern_ingest.domain.addresses import Reached

PROXIES = addresses.networks("10.0.0.0/8, fd00::/8")
STRANGER, PROXY = "203.0.113.7", "10.0.0.1"


def test_a_strangers_headers_are_not_believed() -> None:
    assert addresses.caller(STRANGER, ["198.51.100.1"], PROXIES) == STRANGER
    assert addresses.caller(STRANGER, ["198.51.100.1"], ()) == STRANGER
    assert addresses.caller(None, ["198.51.100.1"], PROXIES) is None


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([STRANGER], STRANGER),
        ([f"1.1.1.1, {STRANGER}"], STRANGER),
        ([f"1.1.1.1, {STRANGER}, 10.0.0.2"], STRANGER),
        (["1.1.1.1", f"{STRANGER},10.0.0.2"], STRANGER),
        ([f"{STRANGER}:4711"], STRANGER),
        (["[2001:db8::7]:443"], "2001:db8::7"),
        (["2001:db8::7"], "2001:db8::7"),
        (["fd00::1"], "fd00::1"),
        (["10.9.9.9"], "10.9.9.9"),
        ([f"{STRANGER}, nonsense"], PROXY),
        (['fe80::1%"}'], PROXY),
        ([""], PROXY),
        ([], PROXY),
    ],
)
def test_a_trusted_proxy_says_who_called_it(said: list[str], expected: str) -> None:
    assert addresses.caller(PROXY, said, PROXIES) == expected


def test_an_ipv4_proxy_is_known_on_a_socket_of_both_kinds() -> None:
    assert addresses.caller("::ffff:10.0.0.1", [STRANGER], PROXIES) == STRANGER
    assert not addresses.is_within("a socket", PROXIES)


@pytest.mark.parametrize("said", ["10.0.0.1/8", "shop.example", "10.0.0.0/8;fd00::/8"])
def test_what_is_no_network_is_refused(said: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        addresses.networks(said)


def test_who_misbehaves_is_an_address_or_the_customer_of_a_provider() -> None:
    found = ["203.0.113.7", "::ffff:203.0.113.7", "2001:db8:0:1::a", "2001:db8:0:1:ffff::b", "2001:db8:0:2::a", "x"]
    assert [addresses.neighbourhood(address) for address in found] == [
        *("203.0.113.7", "203.0.113.7", "2001:db8:0:1::/64", "2001:db8:0:1::/64", "2001:db8:0:2::/64", "x")
    ]


@pytest.mark.parametrize(
    ("policy", "v4", "v6"),
    [
        (None, "203.0.113.7", "2001:db8:1:2::7"),
        ("keep", "203.0.113.7", "2001:db8:1:2::7"),
        ("stripLastOctet", "203.0.113.0", "2001:db8:1::"),
        ("remove", None, None),
        ("as you like", None, None),
    ],
)
def test_a_page_says_what_of_its_visitors_address_is_kept(policy: str | None, v4: str | None, v6: str | None) -> None:
    assert addresses.kept("203.0.113.7", policy) == v4
    assert addresses.kept("2001:db8:1:2::7", policy) == v6
    assert addresses.kept(None, policy) is None
    assert addresses.kept("a socket", "stripLastOctet") is None


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ("{}", {"ip": STRANGER}),
        ("{ \n }", {"ip": STRANGER}),
        ('{"locale":"en"}', {"ip": STRANGER, "locale": "en"}),
        ('  {"page":{"ip":"9.9.9.9"}}', {"ip": STRANGER, "page": {"ip": "9.9.9.9"}}),
        ('{"note":"the \\"ip\\" of it"}', {"ip": STRANGER, "note": 'the "ip" of it'}),
        ('{"ip":"9.9.9.9"}', {"ip": "9.9.9.9"}),
        ('{"\\u0069p":"9.9.9.9"}', {"ip": "9.9.9.9"}),
        ('{"ip":null,"a":1.0}', {"ip": STRANGER, "a": 1.0}),
        ('{"ip":"","a":1.0}', {"ip": STRANGER, "a": 1.0}),
        ('{"ip":0}', {"ip": 0}),
    ],
)
def test_the_address_goes_where_the_context_names_none(context: str, expected: dict[str, Any]) -> None:
    assert json.loads(bytes(addresses.with_address(Raw(context.encode()), STRANGER))) == expected


def test_without_an_address_the_context_stays_the_bytes_that_came() -> None:
    context = Raw(b'{ "a" : 1.0 }')
    assert addresses.with_address(context, None) is context


@pytest.mark.parametrize(
    ("scheme", "host", "forwarded", "trusted", "expected"),
    [
        ("http", "cdp.example:8080", (None, None), False, Reached("http", "cdp.example:8080")),
        ("http", "cdp.example", ("https", "shop.example"), False, Reached("http", "cdp.example")),
        ("http", "ingest:80", ("https", "cdp.example"), True, Reached("https", "cdp.example")),
        ("http", "ingest:80", ("https, http", "cdp.example, ingest"), True, Reached("https", "cdp.example")),
        ("http", "cdp.example", ("HTTPS", None), True, Reached("https", "cdp.example")),
        ("http", "[2001:db8::1]:8080", (None, None), False, Reached("http", "[2001:db8::1]:8080")),
        ("http", None, (None, None), False, None),
        ("http", "", (None, None), False, None),
        ("http", 'a"/><script>', (None, None), False, None),
        ("http", "cdp.example/path", (None, None), False, None),
        ("http", "cdp.example", ("gopher", None), True, None),
    ],
)
def test_what_was_reached_is_what_the_request_says_and_a_trusted_proxy(
    scheme: str, host: str | None, forwarded: tuple[str | None, str | None], trusted: bool, expected: Reached | None
) -> None:
    assert addresses.reached(scheme, host, forwarded, trusted) == expected
