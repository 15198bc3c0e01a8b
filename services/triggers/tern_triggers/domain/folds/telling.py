"""Which fold tells a rule's stories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property

from msgspec.structs import replace

from tern_triggers.domain.decisions import Decision, Outcome
from tern_triggers.domain.folds.browse import browse_stories
from tern_triggers.domain.folds.carts import CartsTold, cart_stories
from tern_triggers.domain.folds.checkout import checkout_stories
from tern_triggers.domain.folds.classes import class_stories
from tern_triggers.domain.folds.counting import count_stories
from tern_triggers.domain.folds.dates import date_stories
from tern_triggers.domain.folds.first_order import first_order_stories
from tern_triggers.domain.folds.forgetting import readable
from tern_triggers.domain.folds.happening import event_stories
from tern_triggers.domain.folds.matching import Shelf
from tern_triggers.domain.folds.orders import orders_story
from tern_triggers.domain.folds.presence import presence_stories
from tern_triggers.domain.folds.waiting import waiting_stories
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rules import Count, Date, Inactivity, OnEvent, Rule, Ruleset
from tern_triggers.domain.story import Story
from tern_triggers.domain.view import View
from tern_triggers.domain.zones import zone_of

Stories = Mapping[str, Sequence[Story]]
"""Rule name → what its fold tells of each key."""


def stories(ruleset: Ruleset, view: View, policy: Policy, now: datetime | None = None) -> dict[str, list[Story]]:
    """What each deciding rule makes of the customer's facts, also of carts that only its decisions know.

    `now`: by which dates come round and classes were left; needed where rules are about these.
    """
    telling = _Telling(view, policy, now)
    concerned = _concerned(ruleset, view)
    return {rule.rule: telling.of(rule) if rule.rule in concerned else [] for rule in ruleset.deciding}


def _concerned(ruleset: Ruleset, view: View) -> set[str]:
    """The rules that can have anything to tell: those that read some fact or have decided, and those about profiles."""
    spoken = {(fact.kind, fact.key if fact.kind == "event" else "") for fact in view.facts}
    return {
        *(reader.rule.rule for kind, key in spoken for reader in ruleset.reading(kind, key)),
        *(decision.rule for decision in view.decisions),
        *ruleset.of_profiles,
    }


class _Telling:
    """One customer at one moment: what several folds read is looked up once."""

    def __init__(self, view: View, policy: Policy, now: datetime | None) -> None:
        self._view = replace(view, facts=readable(view.facts))
        self._policy = policy
        self._now = now
        self._decided: dict[str, list[Decision]] = {}
        for decision in view.decisions:
            if decision.outcome is not Outcome.ENDED:
                self._decided.setdefault(decision.rule, []).append(decision)

    def of(self, rule: Rule) -> list[Story]:
        """What the rule's fold tells."""
        match rule:
            case Inactivity():
                return self._quiet(rule)
            case Count():
                return count_stories(rule, self._shelf, self._own(rule), zone_of(self._view, self._policy))
            case OnEvent():
                return event_stories(rule, self._shelf)
            case Date():
                return date_stories(rule, self._view, self._policy, self._present)
            case _:
                return class_stories(rule, self._view, self._own(rule), self._present)

    def _quiet(self, rule: Inactivity) -> list[Story]:
        match rule.fold:
            case "cart":
                return cart_stories(self._carts, self._anchors(rule), self._policy.settle)
            case "checkout":
                return checkout_stories(self._carts, self._anchors(rule), self._policy.settle)
            case "browse":
                return browse_stories(rule, self._shelf, self._carts)
            case "orders":
                story = orders_story(self._view.facts, rule.waits)
                return [] if story is None else [story]
            case "first_order":
                return first_order_stories(self._view.facts, self._anchors(rule))
            case "presence":
                return presence_stories(self._shelf)
            case _:
                return waiting_stories(rule, self._shelf)

    @cached_property
    def _shelf(self) -> Shelf:
        return Shelf(self._view.facts)

    @cached_property
    def _carts(self) -> CartsTold:
        return CartsTold(self._view.carts)

    @property
    def _present(self) -> datetime:
        assert self._now is not None, "dates come round and classes are left by the clock: pass `now`"
        return self._now

    def _own(self, rule: Rule) -> list[Decision]:
        """The rule's decisions in its mode: shadows go by shadows."""
        shadow = rule.mode == "shadow"
        return [one for one in self._decided.get(rule.rule, ()) if (one.mode == "shadow") == shadow]

    def _anchors(self, rule: Rule) -> dict[str, list[datetime]]:
        anchors: dict[str, list[datetime]] = {}
        for decision in self._decided.get(rule.rule, ()):
            anchors.setdefault(decision.key, []).append(decision.anchor)
        return anchors
