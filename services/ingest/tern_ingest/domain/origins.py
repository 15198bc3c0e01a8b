"""Which pages may send: the origins that a source lists (RFC 6454), exactly or as `https://*.shop.example`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

MOST = 100
"""That a source may list."""

_SPELT = re.compile(r"https?://(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*(:[0-9]{1,5})?")
"""As a browser writes it: lower case, no path, and no port where it is the usual one."""

_ANY_HOST = "*."


def is_spelt_well(origin: str) -> bool:
    """Whether it can be in a source's list."""
    return len(origin) <= 300 and _SPELT.fullmatch(origin) is not None


def allowed(listed: tuple[str, ...], origin: str | None) -> bool:
    """Whether a request from that page is taken. A list of nothing allows every page.

    No origin at all is no page: an app, or a server. An origin list keeps out pages, not programs, which say what they
    like.
    """
    return not listed or origin is None or origin in listed or _is_below(listed, origin)


def _is_below(listed: Iterable[str], origin: str) -> bool:
    """Whether the origin is a host below one that is listed with a star."""
    return any(_ANY_HOST in entry and _below(entry).fullmatch(origin) for entry in listed)


@lru_cache(maxsize=1024)
def _below(entry: str) -> re.Pattern[str]:
    scheme, _, rest = entry.partition(_ANY_HOST)
    return re.compile(re.escape(scheme) + r"([a-z0-9-]+\.)+" + re.escape(rest))
