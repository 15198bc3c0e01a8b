"""The tables of the service in memory, around the service's own pure code: what `store` does, without a database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec.structs import replace

from tern_triggers.domain import agenda, endings, facts, narrative, rounds, touched
from tern_triggers.domain.agenda import Plan
from tern_triggers.domain.decisions import Decision, Outcome
from tern_triggers.domain.endings import Revocation
from tern_triggers.domain.facts import Fact, cart_of, precedence
from tern_triggers.domain.folds import telling
from tern_triggers.domain.folds.addressing import addressed
from tern_triggers.domain.folds.cart import Newest, Ordered
from tern_triggers.domain.moments import EPOCH
from tern_triggers.domain.news import Batch, Membership, News, ProfileNews, gather
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rounds import Safe
from tern_triggers.domain.rules import Rule, ruleset
from tern_triggers.domain.touched import CartKnown, Known
from tern_triggers.domain.view import View


class Node:
    """One database. `batch` is a batch transaction, `fire` a fire transaction for everybody who is due."""

    def __init__(self, rules: Sequence[Rule], policy: Policy) -> None:
        self.rules = ruleset(rules)
        self.policy = policy
        self.memberships: dict[str, Membership] = {}
        self.carts: dict[str, CartKnown] = {}
        self.facts: dict[tuple[str, str, str, str], Fact] = {}
        self.profiles: dict[str, ProfileNews] = {}
        self.now = EPOCH
        self.agenda: dict[str, Plan] = {}
        self.decisions: dict[str, Decision] = {}
        self.looks = 0

    def batch(self, items: Iterable[News], now: datetime) -> None:
        """Everything of a batch, at once."""
        self.now = now
        said = gather(items)
        known = self._known(said, now)
        plans = touched.touched(self.rules, said, known, self.policy)
        for customer, plan in plans.items():
            self.agenda[customer] = agenda.replanned(self.agenda.get(customer, Plan()), plan)
        self._write(said)
        for customer in plans:
            self._end(customer, said, now)
        for customer in sorted(touched.prompted(self.rules, said, known)):
            self._decide_at_once(customer)

    def _known(self, said: Batch, now: datetime) -> Known:
        open_homes: dict[str, list[str]] = {}
        for one in self.decisions.values():
            if one.key in said.ordered and endings.is_open(one, now):
                open_homes.setdefault(one.key, []).append(one.home_id)
        carts = {cart_id: self.carts[cart_id] for cart_id in said.cart_ids if cart_id in self.carts}
        known = Known(memberships=dict(self.memberships), carts=carts, open_homes=open_homes)
        asked = touched.of_interest(self.rules, said, known)
        profiles = {name: self.profiles[name].verdicts for name in asked if name in self.profiles}
        return replace(known, profiles=profiles)

    def _write(self, said: Batch) -> None:
        for home, membership in said.memberships.items():
            kept = self.memberships.get(home)
            if kept is None or kept.version < membership.version:
                self.memberships[home] = membership
        for name, fact in said.facts.items():
            known = self.facts.get(name)
            if known is None or precedence(fact) < precedence(known):
                self.facts[name] = fact
        for fact in said.statements:
            self._note_cart(fact)
        for customer, news in said.profiles.items():
            kept_news = self.profiles.get(customer)
            if kept_news is None or kept_news.rev < news.rev:
                self.profiles[customer] = news

    def _note_cart(self, fact: Fact) -> None:
        cart_id = cart_of(fact)
        if not cart_id:
            return
        newest, ordered = self.carts.get(cart_id, CartKnown(None, None))
        if fact.kind == "order":
            one = Ordered(fact.at, fact.message_id)
            self.carts[cart_id] = CartKnown(newest, max(ordered or one, one))
        else:
            this = Newest(fact.at, fact.message_id, fact.home_id)
            self.carts[cart_id] = CartKnown(max(newest or this, this), ordered)

    def view(self, customer: str, also: Batch | None = None) -> View:
        """What is known of one customer; of a batch in hand, every order counts for the carts."""
        homes = frozenset(home for home, one in self.memberships.items() if one.customer_id == customer)
        told = [fact for fact in self.facts.values() if fact.home_id in homes]
        keys = addressed(self.rules, told) | set(also.ordered if also else ())
        foreign = {key: [cart.ordered] for key in keys if (cart := self.carts.get(key)) and cart.ordered}
        for key, orders in (also.ordered if also else {}).items():
            foreign[key] = [*foreign.get(key, ()), *orders]
        return View(
            customer_id=customer,
            homes=homes,
            shared=any(self.memberships[home].shared for home in homes),
            facts=facts.distinct(told),
            decisions=[d for d in self.decisions.values() if d.home_id in homes or (d.key and d.key in keys)],
            newest={key: cart.newest for key in keys if (cart := self.carts.get(key)) and cart.newest},
            foreign=foreign,
            profile=None if customer not in self.profiles else self.profiles[customer].verdicts,
        )

    def _holder(self, home_id: str) -> str | None:
        return self.memberships[home_id].customer_id

    def _end(self, customer: str, said: Batch, now: datetime) -> None:
        if not any(
            endings.is_open(one, now) for one in self.decisions.values() if self._holder(one.home_id) == customer
        ):
            return
        seen = self.view(customer, said)
        told = telling.stories(self.rules, seen, self.policy, self.now)
        own = [one for one in seen.decisions if one.home_id in seen.homes]
        for decision, revocation, _ in endings.endings(told, own, now):
            noted = {"retracted_at": now} if revocation is Revocation.RETRACTED else {"cancelled_at": now}
            self.decisions[decision.row_id] = replace(decision, **noted)

    def _decide_at_once(self, customer: str) -> None:
        seen = self.view(customer)
        told = telling.stories(self.rules, seen, self.policy, self.now)
        decided = rounds.decide_at_once(self.rules, told, seen, self.policy, self.now)
        looks = rounds.next_looks(decided.left, self.policy)
        self.agenda[customer] = agenda.join([self.agenda[customer], Plan(looks.live, looks.all)])
        self._note([ruling.decision for ruling in decided.rulings])

    def fire(self, safe: datetime) -> None:
        """Everybody who is due, until nobody is."""
        self.now = safe
        reached = Safe(safe, safe)
        while due := [customer for customer, plan in self.agenda.items() if _due(plan, safe)]:
            for customer in sorted(due):
                self._decide(customer, reached)

    def _decide(self, customer: str, safe: Safe) -> None:
        self.looks += 1
        seen = self.view(customer)
        told = telling.stories(self.rules, seen, self.policy, self.now)
        decided = rounds.decide(self.rules, told, seen, self.policy, safe, safe.live)
        made = [ruling.decision for ruling in decided.rulings]
        notes = narrative.ended_notes(self.rules, told, seen, self.policy, safe.live)
        looks = rounds.next_looks(decided.left, self.policy)
        newest = seen.facts[-1].at if seen.facts else None
        known = agenda.join([self.agenda[customer], Plan(None, None, newest, newest)])
        self.agenda[customer] = known._replace(live=looks.live, all=looks.all)
        self._note(made)
        self.decisions |= {one.row_id: one for one in notes}

    def _note(self, made: Iterable[Decision]) -> None:
        for one in made:
            assert one.row_id not in self.decisions, "decided twice"
            self.decisions[one.row_id] = one

    def check_agenda(self) -> None:
        """The one promise of the agenda: it may be early, never late."""
        for customer in {one.customer_id for one in self.memberships.values() if one.customer_id is not None}:
            seen = self.view(customer)
            told = telling.stories(self.rules, seen, self.policy, self.now)
            true = rounds.next_looks(rounds.standing(self.rules, told, seen), self.policy)
            planned = self.agenda.get(customer, Plan())
            for ready, look in ((true.live, planned.live), (true.all, planned.all)):
                assert ready is None or (look is not None and look <= ready), f"late: {look} for {ready}"

    def fired(self) -> list[Decision]:
        """What was published."""
        return [one for one in self.decisions.values() if one.outcome is Outcome.FIRED]


def _due(plan: Plan, safe: datetime) -> bool:
    return any(at is not None and at <= safe for at in (plan.live, plan.all))
