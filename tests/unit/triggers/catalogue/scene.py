"""A scene with one customer and the shipped rules: events go in as they are sent, decisions come out as they are due.

Only pure code runs: facts, folds, candidates, rounds, the arbiter. Moments are spans after the scene's beginning, noon
of 2 March 2026 in the shop's zone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from tern_common.durations import format_duration, parse_duration
from tern_common.events import Contact, Event
from tern_triggers.catalogue import load_rules
from tern_triggers.domain.decisions import Decision, Outcome
from tern_triggers.domain.facts import Fact, distinct, facts_of
from tern_triggers.domain.folds.cart import Newest
from tern_triggers.domain.folds.telling import Stories, stories
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rounds import Decided, Safe, after, decide, decide_at_once, next_looks, standing
from tern_triggers.domain.rules import Ruleset, ruleset
from tern_triggers.domain.view import Arm, Verdicts, View

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 3, 2, 12, tzinfo=BERLIN)
HOME = "a" * 32
POLICY = Policy(version=1)
MOST_LOOKS = 1000
PAST_LATE = timedelta(hours=4)

_SHIPPED = {rule.rule: rule for rule in load_rules()}
_ALL = dict.fromkeys(("email", "push", "sms"), True)

ANN = Verdicts(
    consent={"marketing": _ALL, "service": _ALL},
    contacts={
        "email": Contact(value="ann@example.com", trusted=True),
        "phone": Contact(value="+491701234567", trusted=True),
    },
    zone="Europe/Berlin",
)


def span(written: str) -> timedelta:
    """A span that may be negative: `-1h`."""
    return -parse_duration(written[1:]) if written.startswith("-") else parse_duration(written)


class Scene:
    """Ann, treated by every rule that is named. Nothing happens but what a test says."""

    def __init__(self, *rules: str, profile: Verdicts = ANN, start: datetime = NOON) -> None:
        self.rules: Ruleset = ruleset(_SHIPPED[name] for name in rules)
        self.start = self.now = start.astimezone(UTC)
        self.decisions: list[Decision] = []
        self._view = View(
            customer_id="00000000-0000-7000-8000-00000000000a",
            homes=frozenset({HOME}),
            profile=profile,
            arms=[Arm(HOME, name, True) for name in rules],
        )
        self._sent = 0

    def at(self, moment: str) -> Scene:
        """Lets time pass until then; returns itself, so that something can happen."""
        self._pass(self.start + span(moment))
        return self

    def sees(self, name: str, *, user: str | None = "ann", late: bool = False, **properties: Any) -> Scene:
        """An event of Ann's comes in, now; `late`: it happened more than four hours ago."""
        self._sent += 1
        when = self.now - PAST_LATE - timedelta(minutes=1) if late else self.now
        event = Event(
            message_id=f"m{self._sent:03}",
            type="track",
            name=name,
            event_time=when,
            received_at=self.now,
            source_id="shop",
            user_id=user,
            properties=msgspec.Raw(msgspec.json.encode(properties)),
        )
        self._take(facts_of(event, HOME, self.rules.reads))
        return self

    def says(self, **fields: Any) -> Scene:
        """Ann's profile is another from now on."""
        assert self._view.profile is not None
        self._view = msgspec.structs.replace(self._view, profile=msgspec.structs.replace(self._view.profile, **fields))
        self._look()
        return self

    def until(self, moment: str) -> list[str]:
        """What was published up to then: when it was due, and the step, `rule:` before it where several rules play."""
        self._pass(self.start + span(moment))
        return [self._told(one) for one in self.decisions if one.outcome is Outcome.FIRED]

    def suppressed(self) -> list[tuple[str, str]]:
        """What was decided against, and why."""
        return [(self._told(one), str(one.reason)) for one in self.decisions if one.outcome is Outcome.SUPPRESSED]

    def _told(self, decision: Decision) -> str:
        (rule,) = (one for one in self.rules.rules if one.rule == decision.rule)
        step = rule.steps[decision.step].name or f"step {decision.step}"
        named = f"{rule.rule}: {step}" if len(self.rules.rules) > 1 else step
        return f"{format_duration(decision.due - self.start)} {named}"

    def _pass(self, to: datetime) -> None:
        assert to >= self.now, "time does not go back"
        for look in self._looks(to):
            self.now = max(self.now, look)
            self._look()
        self.now = to

    def _looks(self, to: datetime) -> Iterator[datetime]:
        """The moments at which something has to be looked at, as the agenda would have them."""
        for _ in range(MOST_LOOKS):
            planned = next_looks(standing(self.rules, self._tell(), self._view), POLICY)
            looks = [moment for moment in (planned.live, planned.all) if moment is not None and moment <= to]
            if not looks:
                return
            yield min(looks)
        raise AssertionError("the same is looked at again and again")

    def _take(self, facts: tuple[Fact, ...]) -> None:
        newest = dict(self._view.newest)
        for fact in facts:
            if fact.kind in ("cart", "checkout") and fact.key:
                one = Newest(fact.at, fact.message_id, fact.home_id)
                newest[fact.key] = max(newest.get(fact.key, one), one)
        self._view = msgspec.structs.replace(self._view, facts=distinct([*self._view.facts, *facts]), newest=newest)
        self._keep(decide_at_once(self.rules, self._tell(), self._view, POLICY, self.now))

    def _look(self) -> None:
        safe = Safe(self.now, self.now)
        self._keep(decide(self.rules, self._tell(), self._view, POLICY, safe, self.now))

    def _keep(self, found: Decided) -> None:
        self.decisions.extend(ruling.decision for ruling in found.rulings)
        self._view = after(self._view, found)

    def _tell(self) -> Stories:
        return stories(self.rules, self._view, POLICY, self.now)


def cart(*products: str, cart_id: str = "c1") -> dict[str, Any]:
    """The properties of a cart with a piece of each."""
    return {"cart_id": cart_id, "products": [{"product_id": one, "price": 10} for one in products]}
