"""What the records of `tern.resolved.v1` state, and what a batch of them comes to before anything stored is known.

Pure. Knows homes as 16 bytes and customers as text; nothing of tables.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from tern_profile.domain.consent import OWN, Consent, Key, key_of
from tern_profile.domain.fragment import Fragment

FOREVER = 2**63 - 1
"""A version that none is higher than."""


class Membership(NamedTuple):
    """Home h belongs to `customer_id`, `version`; the highest version wins, everywhere.

    `customer_id` None: it was erased. Whatever its version, nothing replaces that.
    """

    customer_id: str | None
    version: int
    shared: bool = False

    def replaces(self, other: Membership) -> bool:
        """Whether this one stays when both were said."""
        return (self.customer_id is None, self.version) > (other.customer_id is None, other.version)


class Filed(NamedTuple):
    """An event under its home: a membership statement, and a message that counts once. `raw`: its JSON."""

    home: bytes
    membership: Membership
    message_id: str
    event_time: datetime
    raw: str
    fragment: Fragment


class Edge(NamedTuple):
    """Where a customer went: the highest version wins. None: nowhere, what he had was erased."""

    customer_id: str | None
    version: int


class Moved(NamedTuple):
    """Homes (doors among them) whose customer changed, and where that leads those who had them before."""

    homes: tuple[tuple[bytes, Membership], ...]
    edges: tuple[tuple[str, Edge], ...]

    @property
    def sources(self) -> list[str]:
        """Whose they were before."""
        return [source for source, _ in self.edges]


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
    for source, edge in said.edges:
        known = found.edges.get(source)
        if known is None or edge.version > known.version:
            found.edges[source] = edge


def _place(found: Plan, home: bytes, membership: Membership) -> None:
    known = found.memberships.get(home)
    if known is None or membership.replaces(known):
        found.memberships[home] = membership


def withdrawals_of(fragment: Fragment) -> dict[Key, Consent]:
    """What the fragment says against the use of named contacts, and nothing of what it allows."""
    said = {} if fragment.standing is None else fragment.standing.consents
    named = ((key_of(text), consent.withdrawn_at) for text, consent in said.items())
    return {key: Consent(withdrawn_at=at) for key, at in named if key.subject != OWN and at is not None}


def subjects_of(fragment: Fragment) -> set[str]:
    """The contacts that the fragment's consent names."""
    if fragment.standing is None:
        return set()
    return {key_of(text).subject for text in fragment.standing.consents} - {OWN}
