"""What is to be told when homes change customers: membership changes, merges, splits and violations (identity.md §5).

Speaks of nodes by their tokens, which are what customers are called; identifiers themselves never leave.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID, uuid5

from tern_common.events import HomeVersion, IdentityNotice, MembershipChange, Merged, Split, Violation
from tern_identity.domain.ledger import Link
from tern_identity.domain.regrouping import Strong

HOMES_PER_RECORD = 1_000

Cause = dict[str, str | int]


class Move(NamedTuple):
    """A home that has a new membership. `nodes`: what it is filed under. `was`: none for a home that is new."""

    home_id: str
    version: int
    is_door: bool
    nodes: tuple[int, ...]
    was: UUID | None
    now: UUID
    shared: bool


class Trail(NamedTuple):
    """What a batch did, as far as it explains moves.

    `links`: pairs that were news, in fold order. `logins`: weak node → the event that newly claimed it. `before` and
    `after`: the strong nodes of re-folded groups. `partners`: how many each of them has. `tokens`: of all those nodes.
    `node_of`: the node of each former customer id. `stands`: former customer id → whom it stands for now.
    """

    links: Sequence[Link]
    logins: Mapping[int, str]
    before: Mapping[int, Strong]
    after: Mapping[int, Strong]
    partners: Mapping[int, int]
    tokens: Mapping[int, UUID]
    node_of: Mapping[UUID, int]
    stands: Mapping[UUID, UUID]


def merge_id_of(a: UUID, b: UUID) -> UUID:
    """Names the merge that a pair made, by the tokens of its nodes: the same for ever, also after a rebuild."""
    return uuid5(a, str(b))


def membership_changes(moves: Iterable[Move], trail: Trail) -> list[MembershipChange]:
    """One record per customer and cause, of at most a thousand homes each. A new home needs none unless it is a door:
    the event that is filed there says the same."""
    grouped: dict[tuple[UUID, bool, tuple[tuple[str, str | int], ...]], list[Move]] = defaultdict(list)
    for move in sorted(moves):
        if move.was is not None or move.is_door:
            grouped[move.now, move.shared, tuple(cause_of(move, trail).items())].append(move)
    return [_change(chunk, dict(cause)) for (_, _, cause), group in grouped.items() for chunk in _chunks(group)]


def identity_notices(moves: Iterable[Move], trail: Trail) -> list[IdentityNotice]:
    """One for each former customer and each one that its homes went to."""
    turned: dict[tuple[UUID, UUID], list[Move]] = defaultdict(list)
    for move in sorted(moves):
        if move.was is not None and move.was != move.now:
            turned[move.was, move.now].append(move)
    notices = (_notice(was, now, group, trail) for (was, now), group in turned.items())
    return [notice for notice in notices if notice is not None]


def violations(refused: Iterable[Link], trail: Trail) -> list[Violation]:
    """A notice for every link given, and for every node that went into quarantine. A later fact may overturn them."""
    found = [_refusal(link, trail) for link in refused]
    for node_id, now in trail.after.items():
        if now.guard is not None and trail.before[node_id].guard is None:
            customer = str(trail.tokens[node_id])
            event_id = next((link.at.event_id for link in trail.links if node_id in link), None)
            found.append(
                Violation(customer_id=customer, guard=now.guard, namespaces=(now.node.namespace,), message_id=event_id)
            )
    return found


def cause_of(move: Move, trail: Trail) -> Cause:
    """Why a home moved: `pair` (can be undone by its merge_id), `claim`, `eligibility`, or `refold`; empty when new."""
    if move.was is None or move.was == move.now:
        return {}
    was = trail.node_of[move.was]
    links = (link for link in trail.links if _joined(link, was, trail))
    if trail.stands[move.was] == move.now and (link := next(links, None)):
        return _pair(link, trail)
    login = next((trail.logins[node_id] for node_id in move.nodes if node_id in trail.logins), None)
    if login is not None:
        return {"kind": "claim", "event_id": login}
    return _by_eligibility(move, was, trail) or {"kind": "refold"}


def _joined(link: Link, was: int, trail: Trail) -> bool:
    """Whether this news was counted, and ties what was `was` to somebody else."""
    a, b = link.a, link.b
    together = trail.after[a].core == trail.after[b].core
    return together and (trail.before[a].core == was) != (trail.before[b].core == was)


def _pair(link: Link, trail: Trail) -> Cause:
    a, b = trail.tokens[link.a], trail.tokens[link.b]
    return {"kind": "pair", "event_id": link.at.event_id, "a": str(a), "b": str(b)}


def _by_eligibility(move: Move, was: int, trail: Trail) -> Cause | None:
    for node_id, now in trail.after.items():
        before = trail.before[node_id]
        concerned = node_id in move.nodes or before.core == was or trail.tokens[now.core] == move.now
        if concerned and (before.guard is None) != (now.guard is None):
            return {"kind": "eligibility", "node": str(trail.tokens[node_id]), "count": trail.partners[node_id]}
    return None


def _notice(was: UUID, now: UUID, moves: Sequence[Move], trail: Trail) -> IdentityNotice | None:
    cause = cause_of(moves[0], trail)
    if trail.stands[was] == now:
        a, b = (UUID(str(cause["a"])), UUID(str(cause["b"]))) if cause.get("kind") == "pair" else (was, now)
        return Merged(merge_id=str(merge_id_of(a, b)), survivor=str(now), absorbed=str(was), cause=cause)
    homes = tuple(move.home_id for move in moves if not move.is_door)
    return Split(from_=str(was), to=str(now), homes=homes, cause=cause) if homes else None


def _refusal(link: Link, trail: Trail) -> Violation:
    a, b = trail.after[link.a], trail.after[link.b]
    return Violation(
        customer_id=str(trail.tokens[a.core]),
        guard="values-per-customer",
        namespaces=(a.node.namespace, b.node.namespace),
        message_id=link.at.event_id,
    )


def _change(moves: Sequence[Move], cause: Cause) -> MembershipChange:
    def versions(doors: bool) -> tuple[HomeVersion, ...]:
        return tuple(HomeVersion(move.home_id, move.version) for move in moves if move.is_door == doors)

    return MembershipChange(
        customer_id=str(moves[0].now),
        homes=versions(doors=False),
        doors=versions(doors=True),
        from_=tuple(sorted({str(move.was) for move in moves if move.was not in (None, move.now)})),
        cause=cause,
        shared=moves[0].shared,
    )


def _chunks(moves: Sequence[Move]) -> Iterator[Sequence[Move]]:
    for start in range(0, len(moves), HOMES_PER_RECORD):
        yield moves[start : start + HOMES_PER_RECORD]
