"""What the decision log tells besides the outcome: the facts that led there, and cycles that ended undecided.

Notes of ended cycles answer "why did nothing happen?". They never influence a candidate.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tern_triggers.domain.candidates import Candidate, by_story, is_history, max_hold, offset
from tern_triggers.domain.decisions import Decision, Outcome, trigger_id
from tern_triggers.domain.folds.telling import Stories
from tern_triggers.domain.moments import round_up
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rules import Inactivity, Rule, Ruleset
from tern_triggers.domain.story import CartShown, Ended, OrdersShown, ReasonShown, Story, last_ended
from tern_triggers.domain.view import View

Facts = dict[str, str | int | float | bool]


def facts_of(candidate: Candidate) -> Facts:
    """Message ids, times and counts behind a candidate."""
    told: Facts = {"start": candidate.start.message_id, "anchor": candidate.anchor.isoformat()}
    shown = candidate.story.shown
    if isinstance(shown, CartShown):
        return told | {"cart_id": shown.cart_id, "products": len(shown.items)}
    if isinstance(shown, ReasonShown):
        return told | shown.facts
    assert isinstance(shown, OrdersShown), "whoever speaks has something to show"
    return told | {
        "kept_orders": shown.kept,
        "last_order": shown.last_order_id,
        "last_order_at": shown.last_order_at.isoformat(),
        "threshold_days": shown.threshold.days,
    }


def ended_notes(ruleset: Ruleset, told: Stories, view: View, policy: Policy, now: datetime) -> list[Decision]:
    """For each (rule, key) the newest cycle that an exit closed before anything was decided, unless it is noted.

    That somebody was seen again is no news, and cycles that were history to the rule were never its own.
    """
    taken = by_story(view.decisions)
    notes = (
        _note(rule, story, ended, view, policy, now)
        for rule in ruleset.deciding
        if not (isinstance(rule, Inactivity) and rule.fold == "presence")
        for story in told[rule.rule]
        if (ended := last_ended(story, ignore_passive=rule.ignores_history)) is not None
        and not is_history(rule, ended.start.at, ruleset)
        and not _was_decided(ended, taken.get((rule.rule, story.key, story.about), ()))
    )
    known = {decision.row_id for decision in view.decisions}
    return [note for note in notes if note.row_id not in known]


def _note(rule: Rule, story: Story, ended: Ended, view: View, policy: Policy, now: datetime) -> Decision:
    anchor = min(ended.last.at, ended.start.at + max_hold(rule))
    due = anchor + offset(rule, story, 0)
    cycle_ref = story.ref or ended.start.message_id
    return Decision(
        trigger_id=trigger_id(rule.rule, story.key, cycle_ref, 0, shadow=rule.mode == "shadow"),
        rule=rule.rule,
        rule_version=rule.version,
        key=story.key,
        step=0,
        home_id=ended.start.home_id,
        customer_id=view.customer_id,
        cycle_ref=cycle_ref,
        started=ended.start.at,
        anchor=anchor,
        due=due,
        round=round_up(due + policy.grace, policy.slot),
        expires=due + rule.steps[0].expires_after,
        about=story.about,
        outcome=Outcome.ENDED,
        reason=ended.end.why,
        decided_at=now,
        mode="shadow" if rule.mode == "shadow" else "live",
        facts={
            "start": ended.start.message_id,
            "anchor": anchor.isoformat(),
            "exit": ended.end.message_id,
            "exit_at": ended.end.at.isoformat(),
        },
    )


def _was_decided(ended: Ended, taken: Sequence[Decision]) -> bool:
    return any(
        ended.start.at <= decision.anchor <= ended.end.reach and decision.outcome is not Outcome.ENDED
        for decision in taken
    )
