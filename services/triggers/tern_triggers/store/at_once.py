"""What a batch decides itself: reasons that no later event can make false (triggers.md §3).

Most events complete nothing: the database says of whom there are enough at all, then a glimpse tells whether there is
anything to decide. Only then is the customer loaded; at once where the event itself is the reason.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from tern_common.db import Connection
from tern_triggers.domain.agenda import Plan
from tern_triggers.domain.candidates import candidates
from tern_triggers.domain.folds.telling import stories
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rounds import decide_at_once, next_looks
from tern_triggers.domain.rules import Ruleset
from tern_triggers.domain.touched import Prompts
from tern_triggers.store import agenda, facts, sittings, views
from tern_triggers.store.sittings import Sat, Sitting
from tern_triggers.store.writing import Writing


async def decide(
    conn: Connection,
    ruleset: Ruleset,
    writing: Writing,
    prompts: Prompts,
    now: datetime,
) -> Sat:
    """Decides for these customers, who are locked, and plans what is left. What fired is leased to the caller."""
    policy = writing.policy
    prompting = ruleset.prompting
    reasons = {who for who, wanted in prompts.items() if any(one.least == 1 for one in wanted)}
    possible = await _possible(conn, {who: wanted for who, wanted in prompts.items() if who not in reasons})
    ready = [*reasons, *await _ready(conn, prompting, policy, possible, now)]
    if not ready:
        return Sat([], [])
    sat: list[Sitting] = []
    plans: dict[str, Plan] = {}
    for view in await views.load(conn, ruleset, ready, lock=False):
        told = stories(prompting, view, policy, now)
        found = decide_at_once(prompting, told, view, policy, now)
        looks = next_looks(found.left, policy)
        plans[view.customer_id] = Plan(looks.live, looks.all)
        sat.append(_new_only(sittings.concluded(told, view, found, policy, now)))
    written = await sittings.write(conn, sat, [], writing.source, now, policy.outbox.lease)
    await agenda.lock_and_plan(conn, plans)
    return written


async def _possible(conn: Connection, prompts: Prompts) -> list[str]:
    """Those of whom there are enough events at all: of counts most have too few."""
    counting = {who: wanted for who, wanted in prompts.items() if all(one.least > 1 for one in wanted)}
    lacking = counting.keys() - await facts.enough(conn, counting)
    return [who for who in prompts if who not in lacking]


async def _ready(
    conn: Connection, prompting: Ruleset, policy: Policy, customers: Collection[str], now: datetime
) -> list[str]:
    if not customers:
        return []
    names = [rule.rule for rule in prompting.rules]
    seen = await views.glimpse(conn, names, prompting.reads.events, customers)
    return [
        view.customer_id
        for view in seen
        if any(one.at_once for one in candidates(prompting, stories(prompting, view, policy, now), view))
    ]


def _new_only(sitting: Sitting) -> Sitting:
    """What waits by other rules, and what is held for them, is none of this sitting's business."""
    return sitting._replace(drops=(), released={})
