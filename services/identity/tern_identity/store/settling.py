"""One locked transaction: facts in, memberships out (identity.md §8.4 to §8.8).

Locks are taken in one order everywhere: groups, then browsers, then homes, each by number. A derived row is always
written thus: write one's own change, lock the derived row, read all it follows from, write it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from tern_common import outbox
from tern_common.bus import Message
from tern_common.db import Connection
from tern_common.events import IdentityNotice, MembershipChange
from tern_identity.domain.notices import Cause, Move, Trail, identity_notices, membership_changes, violations
from tern_identity.domain.rules import Rules
from tern_identity.store import browsers, groups, homes
from tern_identity.store.crowds import recount_browsers
from tern_identity.store.errors import Misread
from tern_identity.store.facts import keep_facts
from tern_identity.store.merges import remember_merges
from tern_identity.store.messages import change_message, notice_message
from tern_identity.store.news import NO_NEWS, Batch, Membership
from tern_identity.store.ruleset import require_live


class Numbers(NamedTuple):
    """What the rules and the operator of this deployment say."""

    rules: Rules
    epoch: int


@dataclass(frozen=True)
class Work:
    """What is to be settled. `again`: strong nodes whose groups are folded from the ledger, and weak ones whose holder
    is asked for, with all that is filed under them, whatever is stored; `because`: told as the cause of all moves."""

    news: Batch = NO_NEWS
    lock: frozenset[int] = frozenset()
    again: frozenset[int] = frozenset()
    again_weak: frozenset[int] = frozenset()
    because: Cause | None = None


class Settled(NamedTuple):
    """Memberships of the homes that were looked at; how many moved, and how many groups were folded from the ledger.
    `turned`: the former and the present customer of those that moved."""

    memberships: dict[str, Membership]
    moved: int = 0
    refolds: int = 0
    turned: frozenset[tuple[UUID, UUID]] = frozenset()


async def settle(conn: Connection, work: Work, numbers: Numbers) -> Settled:
    """Records the news and brings everything that follows from it up to date.

    Raises `GroupsMoved` and `Misread`: roll back and begin again.
    """
    rules, news = numbers.rules, work.news
    await require_live(conn, rules)
    stamps = news.strong_stamps()
    locked = await groups.lock(conn, sorted(stamps.keys() | work.lock | work.again))
    if any(locked.stamps[node_id] != stamp for node_id, stamp in stamps.items()):
        raise Misread
    await keep_facts(conn, news.pairs, news.claims)
    outcome = await groups.refold(conn, locked, news, work.again, rules)
    recounted = await recount_browsers(conn, locked, news.claims, work.again, rules)
    doubtful = {weak for weak, *_ in news.claims} | work.again_weak
    doubtful |= await browsers.claimed_by(conn, outcome.moved | recounted | work.again)
    reheld = await browsers.rehold(conn, doubtful, news.weak_stamps(), outcome.moved, rules)
    dirty = outcome.moved | reheld.turned | work.again | work.again_weak
    strong = homes.standings_in(locked.strong | outcome.after, locked.tokens)
    known = strong | homes.standings_on(reheld.browsers, strong)
    placed = await homes.replace(conn, dirty, news.homes, known, numbers.epoch)
    await _tell(conn, work, locked, outcome, placed.moves)
    return Settled(placed.memberships, len(placed.moves), outcome.refolds, turned_by(placed.moves))


def turned_by(moves: Iterable[Move]) -> frozenset[tuple[UUID, UUID]]:
    """From whom to whom."""
    return frozenset((move.was, move.now) for move in moves if move.was is not None and move.was != move.now)


async def _tell(
    conn: Connection, work: Work, locked: groups.Locked, outcome: groups.Outcome, moves: list[Move]
) -> None:
    former = {move.was for move in moves if move.was is not None}
    stand = await homes.stand_for(conn, former)
    trail = Trail(
        links=outcome.links,
        logins={key[0]: at.event_id for key, at in work.news.claims.items()},
        before=outcome.before,
        after=outcome.after,
        partners=outcome.partners,
        tokens=locked.tokens,
        node_of={customer_id: node_id for customer_id, (node_id, _) in stand.items()},
        stands={customer_id: now for customer_id, (_, now) in stand.items()},
        because=work.because,
    )
    changes: list[MembershipChange] = membership_changes(moves, trail)
    notices: list[IdentityNotice] = [*identity_notices(moves, trail), *violations(outcome.untold, trail)]
    messages: list[Message] = [*map(change_message, changes), *map(notice_message, notices)]
    if messages:
        await outbox.put(conn, messages)
        await remember_merges(conn, trail.merges())
