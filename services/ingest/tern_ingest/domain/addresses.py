"""Where a request came from: the caller's address behind the shop's own proxies, and what of it goes on the event.

Knows no request: headers come in as lists of values. Whoever is no trusted proxy can write what he likes in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

import msgspec
from msgspec import Raw

Networks = tuple[IPv4Network | IPv6Network, ...]

_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_ONE_CUSTOMER_V6 = 64
_STRIPPED_V4, _STRIPPED_V6 = 24, 48
_NOTHING = (Raw(b"null"), Raw(b'""'))


class _Own(msgspec.Struct, frozen=True):
    """What a context says of its address."""

    ip: Raw = _NOTHING[0]


_own = msgspec.json.Decoder(_Own)
_members = msgspec.json.Decoder(dict[str, Raw])


class Reached(NamedTuple):
    """What callers reach: how it is spelt in an address bar."""

    protocol: str
    host: str


def networks(said: str) -> Networks:
    """`10.0.0.0/8,2001:db8::1` as networks. Raises `ValueError`."""
    return tuple(ip_network(part.strip()) for part in said.split(",") if part.strip())


def caller(peer: str | None, forwarded: Iterable[str], proxies: Networks) -> str | None:
    """The address of the caller: the last in `X-Forwarded-For` that is no trusted proxy, if such a proxy sent it.

    Read from the right: each proxy adds who called it, and what stands before the first stranger is only his word.
    """
    if peer is None or not is_within(peer, proxies):
        return peer
    found = peer
    for said in reversed([part.strip() for value in forwarded for part in value.split(",")]):
        address = _without_port(said)
        if not _is_address(address):
            break
        found = address
        if not is_within(found, proxies):
            break
    return found


@lru_cache(maxsize=4096)
def is_within(address: str, found: Networks) -> bool:
    """Whether one of the networks holds the address."""
    try:
        known = _plain(address)
    except ValueError:
        return False
    return any(known in network for network in found)


def neighbourhood(address: str) -> str:
    """Whom an address stands for when it misbehaves: itself, or the 64 bits that one customer of a provider has."""
    try:
        known = _plain(address)
    except ValueError:
        return address
    return str(_first_bits(known, _ONE_CUSTOMER_V6)) if isinstance(known, IPv6Address) else str(known)


def kept(address: str | None, ip_policy: str | None) -> str | None:
    """What of the address may go on an event, as the page asks (Jitsu's `X-IP-Policy`): all, less its end, or nothing.

    A word that is not known gives nothing: whoever asked at all did not want all of it kept.
    """
    if address is None or ip_policy is None or ip_policy == "keep":
        return address
    if ip_policy != "stripLastOctet" or not _is_address(address):
        return None
    known = _plain(address)
    return str(_first_bits(known, _STRIPPED_V6 if isinstance(known, IPv6Address) else _STRIPPED_V4).network_address)


def with_address(context: Raw, address: str | None) -> Raw:
    """The context of an event with the caller's address in `ip`, unless it says one itself."""
    if address is None:
        return context
    data = bytes(context)
    if data.startswith(b'{"') and b'"ip"' not in data and b"\\u" not in data:
        return Raw(_beginning(address) + b"," + data[1:])
    if data == b"{}":
        return Raw(_beginning(address) + b"}")
    if _own.decode(data).ip not in _NOTHING:
        return context
    return Raw(msgspec.json.encode({**_members.decode(data), "ip": address}))


@lru_cache(maxsize=1024)
def _beginning(address: str) -> bytes:
    return b'{"ip":"%b"' % address.encode()


def reached(scheme: str, host: str | None, forwarded: tuple[str | None, str | None], trusted: bool) -> Reached | None:
    """What the caller reached; None when it says no host that could be one. `forwarded`: protocol and host, as a proxy
    says them, which counts only when it is a `trusted` one."""
    protocol, outer = forwarded if trusted else (None, None)
    protocol = (protocol or scheme).split(",")[0].strip().lower()
    host = (outer or host or "").split(",")[0].strip()
    if protocol not in ("http", "https") or not _HOST.fullmatch(host):
        return None
    return Reached(protocol, host)


@lru_cache(maxsize=4096)
def _is_address(said: str) -> bool:
    try:
        ip_address(said)
    except ValueError:
        return False
    return "%" not in said  # what stands behind it can be anything


def _plain(said: str) -> IPv4Address | IPv6Address:
    """An IPv4 address that a socket of both kinds shows as one of IPv6 is itself. Raises `ValueError`."""
    address = ip_address(said)
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _first_bits(address: IPv4Address | IPv6Address, bits: int) -> IPv4Network | IPv6Network:
    return ip_network((int(address).to_bytes(address.max_prefixlen // 8), bits), strict=False)


def _without_port(said: str) -> str:
    """Some proxies write `192.0.2.1:443` and `[2001:db8::1]:443`."""
    if said.startswith("["):
        return said[1:].partition("]")[0]
    return said.partition(":")[0] if said.count(":") == 1 else said
