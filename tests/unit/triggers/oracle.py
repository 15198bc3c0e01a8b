"""A reference that knows everything it may know from the start, and computes it the slow, plain way.

At every slot it walks each customer's whole story in order of time: no agenda, no exits as maxima, no fold of the
service's. It shares with the service only its facts, its rules and the names of triggers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from tern_triggers.domain.decisions import trigger_id
from tern_triggers.domain.facts import Fact
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rules import Rule
from tern_triggers.domain.view import Verdicts
from unit.triggers import tallies, walks
from unit.triggers.walks import Waiting

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ADDRESSED = ("cart_id", "order_id", "ticket_id")


class Verdict(NamedTuple):
    """What the oracle decided."""

    rule: str
    key: str
    about: str
    step: int
    cycle_ref: str
    trigger_id: str
    home_id: str
    anchor: datetime
    due: datetime
    round: datetime
    fired: bool


class World(NamedTuple):
    """All that is known at a slot: whose each known home is, the facts, all statements of them, profiles."""

    holders: Mapping[str, str]
    facts: Sequence[Fact]
    stated: Sequence[Fact]
    profiles: Mapping[str, Verdicts]


class Oracle:
    """`slot` is called once for every slot, with all that was acknowledged before it."""

    def __init__(self, rules: Sequence[Rule], policy: Policy) -> None:
        self.rules = rules
        self.policy = policy
        self.verdicts: list[Verdict] = []
        self._world: World | None = None
        self._found: list[tuple[Any, str, Waiting]] = []

    def slot(self, at: datetime, world: World) -> None:
        """Decides everything that is ready at `at`. The same `world` as before is not walked again."""
        if world is not self._world:
            self._world, self._found = world, list(self._walk(world))
        for rule, customer, waiting in self._found:
            while self._decide(rule, waiting, at, customer, world):
                pass

    def _walk(self, world: World) -> Iterator[tuple[Rule, str, Waiting]]:
        for customer in sorted(set(world.holders.values())):
            own = [fact for fact in world.facts if world.holders[fact.home_id] == customer]
            for rule in self.rules:
                for waiting in self._waiting(rule, customer, own, world):
                    yield rule, customer, waiting

    def _waiting(self, rule: Any, customer: str, own: Sequence[Fact], world: World) -> Iterable[Waiting]:
        match rule.kind:
            case "inactivity":
                found = self._quiet(rule, customer, own, world)
                return [waiting for waiting in found if waiting is not None]
            case "count":
                return list(tallies.walk_counts(rule, own, lambda key: self._anchors(rule, key, customer, world)))
            case "event":
                return walks.walk_events(rule, own, lambda fact: fact.body.said["score"] <= rule.of.where.at_most)
            case "date":
                return self._birthday(rule, customer, world)
            case _:
                return self._in_class(rule, customer, world)

    def _quiet(self, rule: Any, customer: str, own: Sequence[Fact], world: World) -> Iterable[Waiting | None]:
        match rule.fold:
            case "cart" | "checkout":
                walk = walks.walk_cart if rule.fold == "cart" else walks.walk_checkout
                keys = {fact.key for fact in own if fact.kind in ("cart", "checkout")}
                held = [key for key in sorted(keys) if self._holds(customer, key, world)]
                return [walk(rule, key, own, world.stated, self.policy.settle) for key in held]
            case "browse":
                return [walks.walk_views(rule, own)]
            case "orders":
                return [walks.walk_orders(own)]
            case "first_order":
                return [walks.walk_first(own)]
            case "presence":
                return [walks.walk_days(own)]
            case _:
                return walks.walk_filters(rule, own)

    def _holds(self, customer: str, key: str, world: World) -> bool:
        touching = [f for f in world.stated if f.kind in ("cart", "checkout") and f.key == key]
        last = max(touching, key=lambda fact: (fact.at, fact.message_id, fact.home_id))
        return key == "" or world.holders[last.home_id] == customer

    def _birthday(self, rule: Any, customer: str, world: World) -> Iterable[Waiting]:
        """The tests all play in one night, which leads to 3 March where the customers are."""
        profile = world.profiles.get(customer)
        homes = [home for home, holder in world.holders.items() if holder == customer]
        if profile is None or profile.traits.get("birthday") != "1990-03-03" or not homes:
            return
        at = datetime.fromisoformat(f"2026-03-03T{rule.at}+11:00")
        yield Waiting("", at, f"{min(homes)}|2026", min(homes), at, None, "2026")

    def _in_class(self, rule: Any, customer: str, world: World) -> Iterable[Waiting]:
        profile = world.profiles.get(customer)
        homes = [home for home, holder in world.holders.items() if holder == customer]
        since = None if profile is None else profile.classes.get(rule.enters)
        if since is None or not homes:
            return
        if all(anchor < since for anchor in self._anchors(rule, "", customer, world)):
            about = since.isoformat()
            yield Waiting("", since, f"{min(homes)}|{about}", min(homes), since, None, about)

    def _anchors(self, rule: Any, key: str, customer: str, world: World) -> list[datetime]:
        mine = [one for one in self.verdicts if (one.rule, one.key) == (rule.rule, key)]
        return [one.anchor for one in mine if world.holders[one.home_id] == customer]

    def _decide(self, rule: Any, waiting: Waiting, at: datetime, customer: str, world: World) -> bool:
        taken = [
            old
            for old in self.verdicts
            if (old.rule, old.key, old.about) == (rule.rule, waiting.key, waiting.about)
            and ((getattr(rule, "key", None) in ADDRESSED and waiting.key) or world.holders[old.home_id] == customer)
            and (waiting.ended_before is None or old.anchor > waiting.ended_before)
        ]
        step = next((n for n in range(len(rule.steps)) if all(old.step != n for old in taken)), None)
        if step is None:
            return False
        due = waiting.anchor + rule.steps[step].after
        ready = rounded(due + self.policy.grace, self.policy.slot)
        over = rule.kind == "date" and at > due + rule.steps[step].expires_after
        if over or (ready > at and not rule.at_once(step)):
            return False
        ref = min(taken, key=lambda old: (old.step, old.round)).cycle_ref if taken else waiting.message_id
        self.verdicts.append(
            Verdict(
                rule=rule.rule,
                key=waiting.key,
                about=waiting.about,
                step=step,
                cycle_ref=ref,
                trigger_id=trigger_id(rule.rule, waiting.key, ref, step),
                home_id=waiting.home_id,
                anchor=waiting.anchor,
                due=due,
                round=ready if at - ready <= self.policy.tolerance else at,
                fired=at <= due + rule.steps[step].expires_after,
            )
        )
        return True


def rounded(at: datetime, slot: timedelta) -> datetime:
    """Up to the next full slot."""
    return at + (EPOCH - at) % slot
