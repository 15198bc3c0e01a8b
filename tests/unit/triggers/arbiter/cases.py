"""Short ways to put candidates before the arbiter. Times are minutes after `START`, noon in UTC, 13:00 in Berlin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from msgspec.structs import replace

from tern_common.commerce import Item
from tern_common.events import Contact
from tern_triggers.domain.decisions import Decision, Outcome, Why
from tern_triggers.domain.folds.telling import Stories
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rounds import Decided, Safe, after, decide, next_looks, standing
from tern_triggers.domain.rules import RULE, Rule, ruleset
from tern_triggers.domain.story import CartShown, Moment, ReasonShown, Shown, Story
from tern_triggers.domain.view import Verdicts, View
from unit.triggers.saying import ANN, HOME, at

POLICY = Policy(version=1)
READY = 65.0
"""Due an hour after its start at 0, and the grace."""

EVERYWHERE = {"email": True, "push": True, "sms": True, "call": True}
MAIL = Contact(value="ann@shop.example", trusted=True)
PHONE = Contact(value="+4915100000000", trusted=True)
ANN_SAYS = Verdicts(consent={"marketing": EVERYWHERE}, contacts={"email": MAIL, "phone": PHONE})


def rule(name: str = "nudge", *, steps: Sequence[Mapping[str, object]] = (), **more: object) -> Rule:
    """One step, an hour after the start, by mail, worth a day; unless it says otherwise."""
    plain: dict[str, object] = {"kind": "inactivity", "family": "browse", "purpose": "marketing"}
    plain |= {} if "fold" in more or "of" in more else {"start": {"event": "Began"}}
    first = {"after": "1h", "expires_after": "24h"}
    chosen = [{**first, **step} for step in steps or ({},)]
    return RULE.validate_python({"rule": name, "channels": ["email"], "steps": chosen, **plain, **more})


def story(
    key: str = "k",
    minutes: float = 0,
    *,
    home: str = HOME,
    value: int = 0,
    passive: bool = False,
    shown: Shown | None = None,
) -> Story:
    """Something that began once, and of which nothing more was heard."""
    began = Moment(at(minutes), f"began-{key}", home, passive)
    told = shown or ReasonShown(facts={})
    return Story(key=key, activity=(began,), exits=(), speaks=True, value=Decimal(value), shown=told)


def about(category: str) -> ReasonShown:
    return ReasonShown(facts={}, category=category)


OF_CARTS: dict[str, Any] = {"fold": "cart", "key": "cart_id", "family": "cart"}
CART = CartShown(cart_id="c", items=(Item("tea", 1, None, None),), total=None)


def before(minutes: float, *, key: str = "", name: str = "other", **more: object) -> Decision:
    """A contact by mail that was decided in the round at `minutes`."""
    plain = Decision(
        trigger_id=f"{name}-{key}-{minutes}",
        rule=name,
        rule_version=1,
        key=key,
        step=0,
        home_id=HOME,
        customer_id=ANN,
        cycle_ref=f"{name}-{key}-{minutes}",
        started=at(minutes - 65),
        anchor=at(minutes - 65),
        due=at(minutes - 5),
        round=at(minutes),
        expires=at(minutes + 1440),
        outcome=Outcome.FIRED,
        reason=None,
        decided_at=at(minutes),
        facts={},
        channels=("email",),
    )
    return replace(plain, **more)


def ann(*decisions: Decision, profile: Verdicts | None = ANN_SAYS, **more: object) -> View:
    """She may be reached by every channel."""
    values: dict[str, object] = {"homes": frozenset({HOME}), **more}
    return View(customer_id=ANN, decisions=decisions, profile=profile, **values)  # type: ignore[arg-type]


def says(**more: object) -> Verdicts:
    """Her profile, changed."""
    return replace(ANN_SAYS, **more)


def policy(**arbiter: object) -> Policy:
    """The shipped numbers, some of the arbiter's changed."""
    return Policy.model_validate({"version": 1, "arbiter": arbiter})


NO_CAPS = policy(caps=[])


def look(
    rules: Sequence[Rule],
    told: Stories,
    view: View,
    minutes: float = READY,
    *,
    now: float | None = None,
    by: Policy = POLICY,
    since: Mapping[str, datetime] | None = None,
) -> Decided:
    """What is decided when safe time has come to `minutes`, and the wall clock to `now` or the same."""
    safe = Safe(at(minutes), at(minutes))
    return decide(ruleset(rules, since), told, view, by, safe, at(minutes if now is None else now))


class Said(NamedTuple):
    """What became of a single step. `until`: minutes after `START`."""

    outcome: Outcome | None
    why: object = None
    until: float | None = None


FIRED = Said(Outcome.FIRED)
HELD_OUT = Said(Outcome.HELD_OUT)


def suppressed(why: Why) -> Said:
    return Said(Outcome.SUPPRESSED, why)


def deferred(why: Why, until: float) -> Said:
    return Said(None, why, until)


def said(found: Decided) -> Said:
    """The only thing that was found."""
    if found.deferrals:
        ((deferral,), rulings) = found.deferrals, found.rulings
        assert not rulings
        return Said(None, deferral.why, (deferral.until - at(0)) / timedelta(minutes=1))
    (ruling,) = found.rulings
    return Said(ruling.decision.outcome, ruling.decision.reason)


def judged(
    chosen: Rule,
    view: View,
    minutes: float = READY,
    *,
    of: Story | None = None,
    now: float | None = None,
    by: Policy = POLICY,
    since: float | None = None,
) -> Said:
    """What becomes of the rule's next step when safe time has come to `minutes`."""
    lived = None if since is None else {chosen.rule: at(since)}
    told = {chosen.rule: [of or story()]}
    return said(look([chosen], told, view, minutes, now=now, by=by, since=lived))


class Life(NamedTuple):
    """A customer at the end of some time: its decisions, how often it was looked at, and all deferrals on the way."""

    view: View
    looks: int
    deferrals: list[tuple[datetime, Decided]]


def live(rules: Sequence[Rule], told: Stories, view: View, until: float, by: Policy = POLICY) -> Life:
    """Safe time goes from one planned look to the next, the wall clock with it, until nothing is left to wait for."""
    chosen, looks, waited = ruleset(rules), 0, []
    end = at(until)
    while (when := min(filter(None, next_looks(standing(chosen, told, view), by)), default=end)) < end:
        found = decide(chosen, told, view, by, Safe(when, when), when)
        view = after(view, found)
        waited.append((when, found))
        looks += 1
        assert looks < 2000, "it never ends"
    return Life(view, looks, waited)
