"""What is to be told when homes change customers: membership changes, merges, splits and violations (identity.md §5).

Speaks of nodes by their tokens, which are what customers are called; identifiers themselves never leave.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple
from uuid import UUID, uuid5

from tern_common.events import HomeVersion, IdentityNotice, MembershipChange, Merged, Split, Violation
from tern_identity.domain.ledger import Link, Node
from tern_identity.domain.regrouping import Strong

HOMES_PER_RECORD = 1_000

Cause = dict[str, str | int]


class Move(NamedTuple):
    """A home that has a new membership. `nodes`: what it is filed under. `was`: none for a home that is new. `answers`:
    look-ups of its identifier are answered by it, be it a door or the ordinary home of a member."""

    home_id: str
    version: int
    is_door: bool
    nodes: tuple[int, ...]
    was: UUID | None
    now: UUID
    shared: bool
    answers: bool = False


@dataclass(frozen=True)
class Trail:
    """What a batch did, as far as it explains moves.

    `links`: pairs that were news, in fold order. `logins`: weak node → the event that newly claimed it. `before` and
    `after`: the strong nodes of re-folded groups. `partners`: how many each of them has. `tokens`: of all those nodes.
    `node_of`: the node of each former customer id. `stands`: former customer id → whom it stands for now. `because`:
    the one cause of all that moved, where it was no event's doing.
    """

    links: Sequence[Link]
    logins: Mapping[int, str]
    before: Mapping[int, Strong]
    after: Mapping[int, Strong]
    partners: Mapping[int, int]
    tokens: Mapping[int, UUID]
    node_of: Mapping[UUID, int]
    stands: Mapping[UUID, UUID]
    because: Cause | None = None

    @cached_property
    def joins(self) -> dict[int, Link]:
        """Former core → the first news that tied it to somebody else, and was counted."""
        first: dict[int, Link] = {}
        for link in self.links:
            cores = {self.before[link.a].core, self.before[link.b].core}
            if len(cores) == 2 and self.after[link.a].core == self.after[link.b].core:
                first = dict.fromkeys(cores, link) | first
        return first

    def merges(self) -> dict[UUID, Link]:
        """The merges that news made, by id."""
        return {merge_id_of(self.tokens[link.a], self.tokens[link.b]): link for link in self.joins.values()}

    @cached_property
    def flips(self) -> list[tuple[Strong, Strong]]:
        """Nodes that went into quarantine or left it: as they were, and as they are."""
        pairs = ((self.before[node_id], now) for node_id, now in self.after.items())
        return [(was, now) for was, now in pairs if (was.guard is None) != (now.guard is None)]


def merge_id_of(a: UUID, b: UUID) -> UUID:
    """Names the merge that a pair made, by the tokens of its nodes: the same for ever, also after a rebuild."""
    return uuid5(a, str(b))


def membership_changes(moves: Iterable[Move], trail: Trail) -> list[MembershipChange]:
    """One record per customer and cause, of at most a thousand homes each. A new home needs none unless it answers for
    an identifier: of any other the event that is filed there says the same."""
    grouped: dict[tuple[UUID, bool, tuple[tuple[str, str | int], ...]], list[Move]] = defaultdict(list)
    for move in sorted([move for move in moves if move.was is not None or move.answers]):
        cause = () if move.was is None else tuple(cause_of(move, trail).items())
        grouped[move.now, move.shared, cause].append(move)
    return [_change(chunk, dict(cause)) for (_, _, cause), group in grouped.items() for chunk in _chunks(group)]


def identity_notices(moves: Iterable[Move], trail: Trail) -> list[IdentityNotice]:
    """One for each former customer and each one that its homes went to."""
    turned: dict[tuple[UUID, UUID], list[Move]] = defaultdict(list)
    for move in sorted([move for move in moves if move.was is not None]):
        if move.was is not None and move.was != move.now:
            turned[move.was, move.now].append(move)
    notices = (_notice(was, now, group, trail) for (was, now), group in turned.items())
    return [notice for notice in notices if notice is not None]


def violations(refused: Iterable[Link], trail: Trail) -> list[Violation]:
    """A notice for every link given, and for every node that went into quarantine. A later fact may overturn them."""
    guarded = [_quarantine(now.node, now.guard, trail) for _, now in trail.flips if now.guard is not None]
    return [*(_refusal(link, trail) for link in refused), *guarded]


def erasures(gone: Iterable[Move], cause: Cause) -> list[MembershipChange]:
    """What is left to be told of homes that were erased: that nothing of them may be kept."""
    grouped: dict[UUID, list[Move]] = defaultdict(list)
    for move in sorted(gone):
        grouped[move.now].append(move)
    return [_change(chunk, cause, erased=True) for group in grouped.values() for chunk in _chunks(group)]


def cause_of(move: Move, trail: Trail) -> Cause:
    """Why a home moved: `pair` (can be undone by its merge_id), `claim`, `eligibility`, or `refold`; what an operator
    did (`control`, `rules`, `rebuild`) is named as such; empty when new."""
    if move.was is None or move.was == move.now:
        return {}
    if trail.because is not None:
        return trail.because
    was = trail.node_of[move.was]
    if was in trail.joins and trail.stands[move.was] == move.now:
        return _pair(trail.joins[was], trail)
    login = next((trail.logins[node_id] for node_id in move.nodes if node_id in trail.logins), None)
    if login is not None:
        return {"kind": "claim", "event_id": login}
    return _by_eligibility(move, was, trail) or {"kind": "refold"}


def _pair(link: Link, trail: Trail) -> Cause:
    a, b = trail.tokens[link.a], trail.tokens[link.b]
    return {"kind": "pair", "event_id": link.at.event_id, "a": str(a), "b": str(b)}


def _by_eligibility(move: Move, was: int, trail: Trail) -> Cause | None:
    for before, now in trail.flips:
        node_id = now.node.node_id
        if node_id in move.nodes or before.core == was or trail.tokens[now.core] == move.now:
            return {"kind": "eligibility", "node": str(trail.tokens[node_id]), "count": trail.partners[node_id]}
    return None


def _notice(was: UUID, now: UUID, moves: Sequence[Move], trail: Trail) -> IdentityNotice | None:
    cause = cause_of(moves[0], trail)
    if trail.stands.get(was) == now:
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


def _quarantine(node: Node, guard: str, trail: Trail) -> Violation:
    event_id = next((link.at.event_id for link in trail.links if node.node_id in link[1:]), None)
    customer_id = str(trail.tokens[node.node_id])
    return Violation(customer_id=customer_id, guard=guard, namespaces=(node.namespace,), message_id=event_id)


def _change(moves: Sequence[Move], cause: Cause, *, erased: bool = False) -> MembershipChange:
    homes: list[HomeVersion] = []
    doors: list[HomeVersion] = []
    for move in moves:
        (doors if move.is_door else homes).append(HomeVersion(move.home_id, move.version))
    return MembershipChange(
        customer_id=str(moves[0].now),
        homes=tuple(homes),
        doors=tuple(doors),
        from_=tuple(sorted({str(move.was) for move in moves if move.was not in (None, move.now)})),
        cause=cause,
        shared=moves[0].shared,
        erased=erased,
    )


def _chunks(moves: Sequence[Move]) -> Iterator[Sequence[Move]]:
    for start in range(0, len(moves), HOMES_PER_RECORD):
        yield moves[start : start + HOMES_PER_RECORD]
