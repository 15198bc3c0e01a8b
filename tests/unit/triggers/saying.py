"""Short ways to say facts, views and decisions in tests. Times are minutes after `START`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tern_common.commerce import Item
from tern_common.events import Contact
from tern_triggers.catalogue import load_rules
from tern_triggers.domain.candidates import Candidate, candidates
from tern_triggers.domain.decisions import Decision
from tern_triggers.domain.facts import Body, Fact, How, Kind, Said, distinct
from tern_triggers.domain.folds.cart import Newest
from tern_triggers.domain.folds.telling import stories
from tern_triggers.domain.policy import Arbiter, Policy
from tern_triggers.domain.rounds import Ruling, Safe, decide
from tern_triggers.domain.rules import Inactivity, Rule, event_key, ruleset
from tern_triggers.domain.story import Story
from tern_triggers.domain.view import Verdicts, View

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR, DAY = 60.0, 1440.0
HOME, OTHER = "a" * 32, "b" * 32
ANN = "00000000-0000-7000-8000-00000000000a"

_SHIPPED = {rule.rule: rule for rule in load_rules()}


def shipped(name: str, *, steps: int | None = None) -> Inactivity:
    """A shipped rule, with as many of its first steps as a test needs."""
    rule = _SHIPPED[name]
    assert isinstance(rule, Inactivity)
    plain = {"channels": ("email",), "when": None, "frequency": None, "holdout": 0.0}
    return rule.model_copy(update={"steps": rule.steps[:steps], **plain})


CART, RECALL = shipped("cart_abandoned", steps=1), shipped("recall", steps=1)
"""One mail each: what is asked here is when and whether, not what a shop adds to it."""

RULES: list[Rule] = [CART, RECALL]
RULESET = ruleset(RULES)
POLICY = Policy(version=1, arbiter=Arbiter(caps=()))
"""Without caps: most tests ask when a rule would speak, not how often. Those of the arbiter have its own numbers."""

ANNS_MAIL = {"email": Contact(value="ann@shop.example", trusted=True)}
GRANTED = Verdicts(consent={"marketing": {"email": True}}, contacts=ANNS_MAIL)


def at(minutes: float) -> datetime:
    """The moment so many minutes after the start."""
    return START + timedelta(minutes=minutes)


def _fact(
    kind: Kind, key: str, minutes: float, message_id: str, body: Body, *, home: str = HOME, late: bool = False
) -> Fact:
    return Fact(home, kind, key, message_id, at(minutes), late, body)


def item(product: str, quantity: int = 1, price: str | None = None) -> Item:
    return Item(product, quantity, None if price is None else Decimal(price), None)


def said(
    how: How, minutes: float, message_id: str, *items: Item, cart: str = "c", home: str = HOME, late: bool = False
) -> Fact:
    """A cart event."""
    return _fact("cart", cart, minutes, message_id, Body(how=how, items=items), home=home, late=late)


def snap(
    minutes: float, message_id: str, *products: str, cart: str = "c", home: str = HOME, late: bool = False
) -> Fact:
    """A snapshot with one piece of each product."""
    return said("snapshot", minutes, message_id, *map(item, products), cart=cart, home=home, late=late)


def checkout(minutes: float, message_id: str, cart: str = "c", home: str = HOME) -> Fact:
    return _fact("checkout", cart, minutes, message_id, Body(), home=home)


def order(
    minutes: float,
    order_id: str,
    *products: str,
    cart: str = "",
    total: str | None = None,
    home: str = HOME,
    message_id: str = "",
    late: bool = False,
) -> Fact:
    body = Body(cart_id=cart, items=tuple(map(item, products)), total=Decimal(total) if total else None)
    return _fact("order", order_id, minutes, message_id or order_id, body, home=home, late=late)


def refund(minutes: float, order_id: str, amount: str | None = None, message_id: str = "") -> Fact:
    body = Body(amount=Decimal(amount) if amount else None)
    return _fact("refund", order_id, minutes, message_id or f"r{minutes}", body)


def cancel(minutes: float, order_id: str) -> Fact:
    return _fact("cancel", order_id, minutes, f"x{minutes}", Body())


def event(
    name: str, minutes: float, message_id: str, *, home: str = HOME, late: bool = False, **properties: Said
) -> Fact:
    """An event that a rule reads by its name, with the properties that it reads of it."""
    return _fact("event", event_key(name), minutes, message_id, Body(said=properties), home=home, late=late)


def seen_on(minutes: float, message_id: str, *, known: bool = True, home: str = HOME) -> Fact:
    """The first event of a day."""
    return _fact("seen", str(at(minutes).date()), minutes, "", Body(first=message_id, known=known), home=home)


def view(*facts: Fact, decisions: Sequence[Decision] = (), profile: Verdicts | None = GRANTED, **more: object) -> View:
    """Ann, with one home unless facts name others; she holds every cart that she has."""
    homes = frozenset({HOME, *(fact.home_id for fact in facts)})
    newest: dict[str, Newest] = {}
    for fact in facts:
        if fact.kind in ("cart", "checkout") and fact.key:
            one = Newest(fact.at, fact.message_id, fact.home_id)
            newest[fact.key] = max(newest.get(fact.key, one), one)
    values: dict[str, object] = {"homes": homes, "newest": newest, **more}
    return View(customer_id=ANN, facts=distinct(facts), decisions=decisions, profile=profile, **values)  # type: ignore[arg-type]


def candidates_of(rule: Rule, seen: View, now: float = 0, since: float | None = None) -> list[Candidate]:
    """What the rule would do; `since`: since when it has been live."""
    rules = ruleset([rule], {} if since is None else {rule.rule: at(since)})
    return candidates(rules, stories(rules, seen, POLICY, at(now)), seen)


def story_of(rule: Rule, seen: View, now: float = 0) -> Story:
    """The one story that the rule's fold tells."""
    (story,) = stories(ruleset([rule]), seen, POLICY, at(now))[rule.rule]
    return story


def decided(seen: View, minutes: float, rules: Iterable[Rule] = RULES, now: float | None = None) -> list[Ruling]:
    """The rulings when safe time has come to `minutes`, and the wall clock to `now` or the same."""
    chosen = list(rules)
    safe = Safe(at(minutes), at(minutes))
    told = stories(ruleset(chosen), seen, POLICY, at(minutes if now is None else now))
    return decide(ruleset(chosen), told, seen, POLICY, safe, at(minutes if now is None else now)).rulings


def fired(seen: View, minutes: float, rules: Iterable[Rule] = RULES) -> list[Decision]:
    """The decisions of `decided`."""
    return [ruling.decision for ruling in decided(seen, minutes, rules)]
