"""What the shop was told, and what follows from it: whose things are, and what they say."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from simulation.identity import IdentityTables
from simulation.loop import START
from simulation.rules import RULES
from simulation.world import Ended
from tern_common.events import Event, encode
from tern_identity.consumer import Arrived
from tern_identity.domain.reading import read
from tern_triggers.domain.decisions import Decision
from tern_triggers.domain.facts import facts_of
from tern_triggers.domain.folds import telling
from tern_triggers.domain.news import Membership, News
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rules import Rule
from tern_triggers.domain.story import Story
from tern_triggers.domain.view import View
from unit.identity.histories import SHIPPED
from unit.triggers.node import Node


class World:
    """What follows from events that the shop knows to be acknowledged: whose they are, and what they say."""

    def __init__(self, events: Iterable[Event], policy: Policy) -> None:
        self.identity = identity = IdentityTables()
        node = Node(RULES, policy)
        reads = node.rules.reads
        arrived = [_arrived(event) for event in events]
        filed = identity.file(arrived) if arrived else []
        latest = {one.home_id: one for one in filed}
        news = []
        for said, one in zip(arrived, filed, strict=True):
            told = latest[one.home_id].membership
            home = Membership(one.home_id, str(told.customer_id), told.version, told.shared)
            event = msgspec.json.decode(said.value, type=Event)
            news.append(News((home,), facts=facts_of(event, one.home_id, reads)))
        node.batch(news, START)
        self.node = node
        self._homes = {said.message_id: one.home_id for said, one in zip(arrived, filed, strict=True)}

    def homes_of(self, event: Event) -> frozenset[str]:
        """Where the event is filed."""
        return frozenset({self._homes[event.message_id]})

    def view_of(self, home_id: str) -> View | None:
        """The customer that has a home."""
        found = self.node.memberships.get(home_id)
        return None if found is None or found.customer_id is None else self.node.view(found.customer_id)

    def story(self, decision: Decision) -> tuple[Story, View] | None:
        """What the rule's fold tells of the decision's key."""
        seen = self.view_of(decision.home_id)
        if seen is None:
            return None
        told = telling.stories(self.node.rules, seen, self.node.policy, START)[decision.rule]
        return next(((one, seen) for one in told if (one.key, one.about) == (decision.key, decision.about)), None)


def _arrived(event: Event) -> Arrived:
    reading = read(event, SHIPPED.known)
    return Arrived(reading, event.event_time, event.message_id, event.source_id, event.mode, encode(event))


def acked_before(ended: Ended, moment: datetime) -> list[Event]:
    """In the order in which the shop was told."""
    known = sorted((at, message) for message, at in ended.acks.at.items() if at < moment)
    return [ended.acks.events[message] for _, message in known]


def everything(ended: Ended) -> World:
    """All that the shop was told."""
    return World(acked_before(ended, datetime.max.replace(tzinfo=START.tzinfo)), ended.policy)


def of_lane(rule: Rule, events: Iterable[Event]) -> list[Event]:
    """Those that a rule waits for: history is waited for where it is asked for."""
    return [event for event in events if rule.lane == "all" or event.mode == "live"]
