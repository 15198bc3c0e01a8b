"""What the records of `tern.resolved.v1` state, and what a batch of them comes to before anything stored is known.

Pure. Knows homes as 16 bytes and customers as text; nothing of tables.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from tern_profile.domain.consent import OWN, key_of
from tern_profile.domain.fragment import Fragment


class Membership(NamedTuple):
    """Home h belongs to `customer_id`, `version`; the highest version wins, everywhere."""

    customer_id: str
    version: int
    shared: bool = False


class Filed(NamedTuple):
    """An event under its home: a membership statement, and a message that counts once. `raw`: its JSON."""

    home: bytes
    membership: Membership
    message_id: str
    event_time: datetime
    raw: str
    fragment: Fragment


class Moved(NamedTuple):
    """Homes (doors among them) whose customer changed, and whose they were before."""

    homes: tuple[tuple[bytes, Membership], ...]
    sources: tuple[str, ...]
    customer_id: str
    version: int


class Edge(NamedTuple):
    """Where a customer went: the highest version wins."""

    customer_id: str
    version: int


Statement = Filed | Moved
MessageKey = tuple[bytes, str]


@dataclass(frozen=True)
class Plan:
    """A batch, collapsed: one membership a home, one copy (the earliest) a message, one edge a customer."""

    memberships: dict[bytes, Membership] = field(default_factory=dict)
    filed: dict[MessageKey, Filed] = field(default_factory=dict)
    edges: dict[str, Edge] = field(default_factory=dict)
    moved: list[Moved] = field(default_factory=list)


def plan(statements: Iterable[Statement]) -> Plan:
    """Does not depend on the order of the statements, but for the order of its maps."""
    found = Plan()
    for statement in statements:
        if isinstance(statement, Filed):
            _file(found, statement)
        else:
            _move(found, statement)
    return found


def _file(found: Plan, said: Filed) -> None:
    _place(found, said.home, said.membership)
    key = said.home, said.message_id
    known = found.filed.get(key)
    if known is None or said.event_time < known.event_time:
        found.filed[key] = said


def _move(found: Plan, said: Moved) -> None:
    found.moved.append(said)
    for home, membership in said.homes:
        _place(found, home, membership)
    for source in said.sources:
        known = found.edges.get(source)
        if known is None or said.version > known.version:
            found.edges[source] = Edge(said.customer_id, said.version)


def _place(found: Plan, home: bytes, membership: Membership) -> None:
    known = found.memberships.get(home)
    if known is None or membership.version > known.version:
        found.memberships[home] = membership


def subjects_of(fragment: Fragment) -> set[str]:
    """The contacts that the fragment's consent names."""
    if fragment.standing is None:
        return set()
    return {key_of(text).subject for text in fragment.standing.consents} - {OWN}
