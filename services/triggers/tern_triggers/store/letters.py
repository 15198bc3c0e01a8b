"""Rulings and endings as letters for the outbox: which topic, which key, which bytes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from tern_common.topics import STOCK, triggers_topic
from tern_triggers.domain import contract
from tern_triggers.domain.contract import TriggerEvent
from tern_triggers.domain.decisions import Decision
from tern_triggers.domain.endings import Ending
from tern_triggers.domain.reports import HoldReleased, HoldRequested
from tern_triggers.domain.rounds import Ruling
from tern_triggers.domain.rules import Lane, Rule
from tern_triggers.domain.view import View
from tern_triggers.store.holds import Given
from tern_triggers.store.outbox import Letter


def of_ruling(ruling: Ruling, view: View, source: str) -> Letter:
    """The trigger of a ruling that fired."""
    candidate = ruling.candidate
    return _letter(ruling.decision, candidate.rule.family, contract.fired(ruling, view, source), candidate.lane)


def of_ending(rules: Sequence[Rule], ending: Ending, now: datetime, source: str) -> Letter:
    """The retraction or cancellation of a trigger."""
    family = next(rule.family for rule in rules if rule.rule == ending.decision.rule)
    return _letter(ending.decision, family, contract.revoked(ending, now, source))


def of_request(request: HoldRequested) -> Letter:
    """What the shop is asked to hold."""
    return _to_the_shop(request.hold_id, request.cart_id or "", request)


def of_release(given: Given, why: str, now: datetime) -> Letter:
    """What the shop need not hold any longer."""
    said = HoldReleased(hold_id=given.hold_id, trigger_id=given.trigger_id, reason=why, at=now)
    return _to_the_shop(given.hold_id, given.cart_id, said)


def _to_the_shop(hold_id: str, cart_id: str, said: HoldRequested | HoldReleased) -> Letter:
    """What is said about one request stays in order, and waits for nothing that is said about its trigger."""
    kind = str(said.__struct_config__.tag)
    name = f"{hold_id}/{kind.split('.')[-2]}"
    return Letter(hold_id, kind, STOCK, (cart_id or hold_id).encode(), name, msgspec.json.encode(said))


def _letter(decision: Decision, family: str, event: TriggerEvent, lane: Lane = "live") -> Letter:
    """All that is ever said about a trigger has the customer id of its firing as key: so nothing overtakes it."""
    key = decision.customer_id.encode()
    return Letter(decision.trigger_id, event.type, triggers_topic(family), key, event.id, contract.encode(event), lane)
