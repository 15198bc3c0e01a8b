"""Consent as maxima: profile.md, Consent. Knows subjects only as opaque words, and nothing of who they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from msgspec import Struct

OWN = ""
"""The subject of a statement that names no contact: the home it is filed under."""

CHANNEL_CONTACT: Mapping[str, str] = {
    "email": "email",
    "sms": "phone",
    "mms": "phone",
    "phone": "phone",
    "call": "phone",
    "whatsapp": "phone",
}
"""Which contact point a channel reaches. Other channels (push, …) reach a device and no contact point."""

PLAIN = frozenset(("marketing", channel) for channel in (*CHANNEL_CONTACT, "push"))
"""(purpose, channel) that nothing displaces, where only so many are kept."""


class Grant(NamedTuple):
    """When it was granted and what proves it. Ordered by time, so that the newest grant wins with its proof."""

    at: datetime
    proof: str = ""


class Consent(Struct, array_like=True, frozen=True):
    """Three maxima about one (subject, purpose, channel).

    `granted`: the newest grant by anyone; `trusted`: the newest by a trusted event; `withdrawn_at`: by anyone.
    """

    granted: Grant | None = None
    trusted: Grant | None = None
    withdrawn_at: datetime | None = None


class Key(NamedTuple):
    """What a statement is about. `subject`: hex of the named contact's keyed hash, or `OWN`."""

    subject: str
    purpose: str
    channel: str

    def __str__(self) -> str:
        return "/".join(self)


def key_of(text: str) -> Key:
    """The inverse of `str(key)`: no part contains a slash."""
    return Key(*text.split("/"))


def said(granted: bool, at: datetime, trusted: bool, proof: str | None) -> Consent:
    """One statement."""
    if not granted:
        return Consent(withdrawn_at=at)
    grant = Grant(at, proof or "")
    return Consent(grant, grant if trusted else None)


def combine(a: Consent, b: Consent) -> Consent:
    """All that both say. Commutative, associative, idempotent."""
    return Consent(_later(a.granted, b.granted), _later(a.trusted, b.trusted), latest(a.withdrawn_at, b.withdrawn_at))


def _later(a: Grant | None, b: Grant | None) -> Grant | None:
    if a is None or b is None:
        return a or b
    return max(a, b)


def latest(a: datetime | None, b: datetime | None) -> datetime | None:
    """The later of two moments, of which each may be missing."""
    if a is None or b is None:
        return a or b
    return max(a, b)


def counting(named: Consent) -> Grant | None:
    """The grant that counts for a named contact: once it was withdrawn, only a trusted event can grant again."""
    return named.granted if named.withdrawn_at is None else named.trusted


def allowed(grants: Iterable[Grant | None], withdrawals: Iterable[datetime | None]) -> bool:
    """Granted after the last withdrawal. A tie refuses, missing refuses."""
    granted = max((grant.at for grant in grants if grant is not None), default=None)
    withdrawn = max((at for at in withdrawals if at is not None), default=None)
    if granted is None:
        return False
    return withdrawn is None or granted > withdrawn
