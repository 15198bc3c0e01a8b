"""What an event is flagged as: a robot's, or a test. Flagged events go on like any other; whoever reads them decides.

Depends on what the event says, on the browser's header where it says nothing, and on what its source declared.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct

from tern_common.events import EMPTY, Event
from tern_common.identifiers import contacts_of, normalise

LONGEST_AGENT = 512
"""Characters of a user agent that are looked at."""
MOST_TESTERS = 100
"""Addresses and domains of testers that one source declares."""

_AGENTS_KEPT = 1 << 12
_ROBOT = re.compile(
    r"(?<!cu)bot|google(?:other|-)|mediapartners|crawl|spider|slurp|scrap[ei]|archiver|facebookexternalhit|headless|phantomjs|selenium"
    r"|playwright|puppeteer|lighthouse|pagespeed|gtmetrix|pingdom|uptime|statuscake|synthetic|monitoring|preview"
    r"|validator|indexer|feed(?:fetcher|burner|ly)|https?://"
    r"|^(?:curl|wget|python|java|go-http-client|okhttp|axios|node|libwww|ruby|php|perl)\b",
    re.IGNORECASE,
)
"""Words by which robots say what they are, and libraries that no browser is. A well-behaved robot names itself and the
page that explains it (RFC 9309 §2.2.1, RFC 9110 §10.1.5), so most say `bot`, `crawl`, `spider` or an address; `Cubot`
is a telephone."""

_DOMAIN = re.compile(r"@(?=.{3,255}\Z)[a-z0-9-]+(?:\.[a-z0-9-]+)+")


class _Context(Struct, frozen=True):
    user_agent: Any = msgspec.field(name="userAgent", default=None)
    test: Any = None


_context = msgspec.json.Decoder(_Context)
_NOTHING_SAID = _Context()


class Flags(NamedTuple):
    """`bot`: a robot's event. `test`: not meant."""

    bot: bool = False
    test: bool = False


_NONE = Flags()


def flags_of(context: Raw, robot_calls: bool = False) -> Flags:
    """The flags by an event's context. `robot_calls`: whether its request is a robot's, for a context that names no
    user agent."""
    said = _NOTHING_SAID if context is EMPTY else _read(context)
    agent = said.user_agent
    bot = is_robot(agent[:LONGEST_AGENT]) if isinstance(agent, str) and agent else robot_calls
    test = said.test is True
    return Flags(bot, test) if bot or test else _NONE


@lru_cache(maxsize=_AGENTS_KEPT)
def is_robot(user_agent: str) -> bool:
    """Whether it names itself as one."""
    return _ROBOT.search(user_agent) is not None


def is_of_tester(event: Event, testers: Collection[str]) -> bool:
    """Whether the event states an e-mail address that its source declared: itself, or everything at its domain."""
    said = (value for namespace, value in contacts_of(event) if namespace == "email")
    return any(value in testers or value[value.rfind("@") :] in testers for value in said)


def tester(written: str) -> str | None:
    """An address (`qa@shop.example`) or a domain (`@shop.example`) as it is compared; None when it is neither."""
    plain = written.strip().lower()
    if plain.startswith("@"):
        return plain if _DOMAIN.fullmatch(plain) else None
    return normalise("email", plain).value or None


def _read(context: Raw) -> _Context:
    try:
        return _context.decode(context)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _NOTHING_SAID
