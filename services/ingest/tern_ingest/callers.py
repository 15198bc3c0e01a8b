"""Who calls, and what they reached: from the connection, and from the headers of the shop's own proxies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from starlette.types import Scope

from tern_ingest.domain import addresses
from tern_ingest.domain.addresses import Networks, Reached
from tern_ingest.domain.flags import LONGEST_AGENT, is_robot
from tern_ingest.domain.keys import WriteKey


class Caller(NamedTuple):
    """`address`: None when the connection has none. `origin`: the page's, as its browser says it."""

    address: str | None
    origin: bytes | None


class Callers:
    """`proxies`: the networks of those whose `X-Forwarded-*` headers are believed."""

    def __init__(self, proxies: Networks = ()) -> None:
        self._proxies = proxies

    def of(self, scope: Scope, head: Mapping[bytes, bytes]) -> Caller:
        """The caller of a request."""
        client = scope.get("client")
        address = client[0] if client else None
        if self._proxies and b"x-forwarded-for" in head:
            said = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
            address = addresses.caller(address, said, self._proxies)
        return Caller(address, head.get(b"origin"))

    def reached(self, scope: Scope, head: Mapping[bytes, bytes]) -> Reached | None:
        """What the caller typed in; None when it says no host."""
        client = scope.get("client")
        trusted = client is not None and addresses.is_within(client[0], self._proxies)
        forwarded = _text(head, b"x-forwarded-proto"), _text(head, b"x-forwarded-host")
        return addresses.reached(scope["scheme"], _text(head, b"host"), forwarded, trusted)


def kept_address(caller: Caller, head: Mapping[bytes, bytes]) -> str | None:
    """What of the caller's address may go on events."""
    if b"x-ip-policy" not in head:
        return caller.address
    return addresses.kept(caller.address, _text(head, b"x-ip-policy"))


def is_robots(key: WriteKey, head: Mapping[bytes, bytes]) -> bool:
    """Whether a request under this key is a robot's by its header. A server's says what library the shop calls with."""
    agent = _text(head, b"user-agent") if key.kind == "browser" else None
    return agent is not None and is_robot(agent[:LONGEST_AGENT])


def _text(head: Mapping[bytes, bytes], name: bytes) -> str | None:
    value = head.get(name)
    return None if value is None else value.decode("latin-1")
