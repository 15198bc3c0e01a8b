"""One locked transaction: facts in, memberships out (identity.md §8.4 to §8.8).

Locks are taken in one order everywhere: groups, then browsers, then homes, each by number. A derived row is always
written thus: write one's own change, lock the derived row, read all it follows from, write it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from tern_common import outbox
from tern_common.bus import Message
from tern_common.db import Connection
from tern_common.events import IdentityNotice, MembershipChange
from tern_identity.domain.notices import Move, Trail, identity_notices, membership_changes, violations
from tern_identity.domain.rules import Rules
from tern_identity.store import browsers, groups, homes
from tern_identity.store.messages import change_message, notice_message
from tern_identity.store.news import Batch, Membership


class Numbers(NamedTuple):
    """What the rules and the operator of this deployment say."""

    rules: Rules
    epoch: int


async def settle(conn: Connection, news: Batch, also: Collection[int], numbers: Numbers) -> dict[str, Membership]:
    """Records the news and brings everything that follows from it up to date. Returns the memberships it touched.

    `also`: strong nodes whose groups must be locked as well. Raises `GroupsMoved`: roll back and begin again.
    """
    locked = await groups.lock(conn, sorted({*news.strong(), *also}))
    await groups.keep_facts(conn, news.pairs, news.claims)
    outcome = await groups.refold(conn, locked, news.pairs, numbers.rules)
    crowded = await groups.newly_crowded(conn, locked, news.claims, numbers.rules)
    claimed = {weak for weak, *_ in news.claims} | await browsers.claimed_by(conn, outcome.moved | crowded)
    filed = {node_id for node_id, node in news.nodes.items() if node.is_weak}
    turned = await browsers.rehold(conn, claimed, filed, outcome.moved)
    placed = await homes.replace(conn, outcome.moved | turned, news.homes, numbers.epoch)
    await _tell(conn, news, locked, outcome, placed.moves)
    return placed.memberships


async def _tell(
    conn: Connection, news: Batch, locked: groups.Locked, outcome: groups.Outcome, moves: list[Move]
) -> None:
    former = {move.was for move in moves if move.was is not None}
    stand = await homes.stand_for(conn, former)
    trail = Trail(
        links=outcome.links,
        logins={weak: said.at.event_id for (weak, *_), said in news.claims.items()},
        before=outcome.before,
        after=outcome.after,
        partners=outcome.partners,
        tokens=locked.tokens,
        node_of={customer_id: node_id for customer_id, (node_id, _) in stand.items()},
        stands={customer_id: now for customer_id, (_, now) in stand.items()},
    )
    changes: list[MembershipChange] = membership_changes(moves, trail)
    notices: list[IdentityNotice] = [*identity_notices(moves, trail), *violations(outcome.untold, trail)]
    messages: list[Message] = [*map(change_message, changes), *map(notice_message, notices)]
    if messages:
        await outbox.put(conn, messages)
