"""Rulings and endings as letters for the outbox: which topic, which key, which bytes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tern_common.topics import triggers_topic
from tern_triggers.domain import contract
from tern_triggers.domain.contract import TriggerEvent
from tern_triggers.domain.decisions import Decision
from tern_triggers.domain.endings import Ending
from tern_triggers.domain.rounds import Ruling
from tern_triggers.domain.rules import Rule
from tern_triggers.domain.view import View
from tern_triggers.store.outbox import Letter


def of_ruling(ruling: Ruling, view: View, source: str) -> Letter:
    """The trigger of a ruling that fired."""
    return _letter(ruling.decision, ruling.candidate.rule.family, contract.fired(ruling, view, source))


def of_ending(rules: Sequence[Rule], ending: Ending, now: datetime, source: str) -> Letter:
    """The retraction or cancellation of a trigger."""
    family = next(rule.family for rule in rules if rule.rule == ending.decision.rule)
    return _letter(ending.decision, family, contract.revoked(ending, now, source))


def _letter(decision: Decision, family: str, event: TriggerEvent) -> Letter:
    """All that is ever said about a trigger has the customer id of its firing as key: so nothing overtakes it."""
    key = decision.customer_id.encode()
    return Letter(decision.trigger_id, event.type, triggers_topic(family), key, event.id, contract.encode(event))
