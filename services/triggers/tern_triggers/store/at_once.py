"""What a batch decides itself: reasons that no later event can make false (triggers.md §3).

Most events complete nothing: the database says of whom there are enough at all, then a glimpse tells whether there is
anything to decide. Only then is the customer loaded; at once where the event itself is the reason. About whom an error
of ours is met, for him a look decides later: his facts are kept, and nobody else waits (ADR 30).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from tern_common.blaming import PUT_OFF
from tern_common.db import Connection
from tern_common.logs import logger
from tern_triggers.domain.agenda import Plan
from tern_triggers.domain.candidates import candidates
from tern_triggers.domain.folds.telling import stories
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rounds import decide_at_once, next_looks
from tern_triggers.domain.rules import Ruleset
from tern_triggers.domain.touched import Prompts
from tern_triggers.domain.view import View
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
    prompting = ruleset.prompting
    reasons = {who for who, wanted in prompts.items() if any(one.least == 1 for one in wanted)}
    possible = await _possible(conn, {who: wanted for who, wanted in prompts.items() if who not in reasons})
    ready = [*reasons, *await _ready(conn, prompting, writing.policy, possible, now)]
    if not ready:
        return Sat([], [])
    sat: list[Sitting] = []
    plans: dict[str, Plan] = {}
    for view in await views.load(conn, ruleset, ready, lock=False):
        try:
            sitting, plan = _decide_for(view, prompting, writing, now)
        except Exception:  # noqa: BLE001 - an error about one customer must neither lose a fact nor keep others waiting
            logger.error("a decision met an error of ours, and is put off", exc_info=True, customer_id=view.customer_id)
            plans[view.customer_id] = Plan(now + PUT_OFF, now + PUT_OFF)
            continue
        plans[view.customer_id] = plan
        sat.append(sitting)
    written = await sittings.write(conn, sat, [], now, writing.policy.outbox.lease)
    await agenda.lock_and_plan(conn, plans)
    return written


def _decide_for(view: View, prompting: Ruleset, writing: Writing, now: datetime) -> tuple[Sitting, Plan]:
    told = stories(prompting, view, writing.policy, now)
    found = decide_at_once(prompting, told, view, writing.policy, now)
    looks = next_looks(found.left, writing.policy)
    return _new_only(sittings.concluded(told, view, found, writing, now)), Plan(looks.live, looks.all)


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
    return [view.customer_id for view in seen if _is_ready(view, prompting, policy, now)]


def _is_ready(view: View, prompting: Ruleset, policy: Policy, now: datetime) -> bool:
    try:
        return any(one.at_once for one in candidates(prompting, stories(prompting, view, policy, now), view))
    except Exception:  # noqa: BLE001 - whoever decides about all that is known of him meets it again, and puts it off
        return True


def _new_only(sitting: Sitting) -> Sitting:
    """What waits by other rules, and what is held for them, is none of this sitting's business."""
    return sitting._replace(drops=(), released={})
