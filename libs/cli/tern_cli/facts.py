"""What is learned about a platform, and what is found in it. Judges nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

Level = Literal["wrong", "note", "unknown"]
"""`wrong`: something needs doing. `note`: good to know. `unknown`: could not be learned."""


class Source(NamedTuple):
    """A source and what its doors say: `keys` as `GET …/keys`, `quality` as `GET …/quality`; None: no answer."""

    source_id: str
    name: str
    origins: Sequence[str] = ()
    login_needs_token: bool = False
    keys: Sequence[Mapping[str, Any]] | None = None
    quality: Mapping[str, Any] | None = None


class Service(NamedTuple):
    """A service: `missing` as `/ready` tells it, None when it does not answer. Counted things are of its `/metrics`:
    `answers`: status → tracking requests since it started; `safe_age_s`: lane → seconds; `claims`: who claims the
    live lane; `lag`: loop → records. None: not told. `standing`: loops of which nothing passes."""

    name: str
    missing: Mapping[str, str] | None
    answers: Mapping[int, int] | None = None
    safe_age_s: Mapping[str, float] | None = None
    claims: frozenset[str] | None = None
    lag: Mapping[str, float] | None = None
    standing: frozenset[str] = frozenset()


class Facts(NamedTuple):
    """All that could be learned. `sources`: None when they could not be listed; `why_not` says why."""

    services: Sequence[Service]
    sources: Sequence[Source] | None
    why_not: str = ""


class Finding(NamedTuple):
    """One thing: about whom, what it is, and what to do."""

    level: Level
    about: str
    what: str
    do: str = ""
