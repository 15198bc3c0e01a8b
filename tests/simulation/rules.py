"""What the played shop wants of triggers: a rule of each kind that is cheap to play, and numbers that a seed draws.

The waits are seconds, since a world is two minutes long. Dates are left out: no day ends in one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from random import Random
from typing import Any

from simulation.loop import START
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rules import RULE, Rule
from unit.profile.saying import POLICY as SHIPPED

CLASSES = SHIPPED.model_validate(SHIPPED.model_dump() | {"classes": {"buyer": {"path": "orders", "at_least": 1}}})
"""What profile is told to compute."""


def _rule(name: str, kind: str, *steps: str, **more: object) -> Rule:
    """`steps`: how long after the anchor."""
    return RULE.validate_python(
        {
            "rule": name,
            "kind": kind,
            "purpose": "marketing",
            "channels": ["email"],
            "steps": [{"after": after, "expires_after": "40s"} for after in steps],
            **more,
        }
    )


RULES = (
    _rule("cart_left", "inactivity", "10s", family="cart", key="cart_id", fold="cart", max_hold="25s", priority=80),
    _rule("orders_over", "inactivity", "15s", family="recall", fold="orders", history="ignore"),
    _rule(
        "looked_often",
        "count",
        "0s",
        family="browse",
        of={"event": "Product Viewed"},
        key="product_id",
        at_least=2,
        within="20s",
        cooldown="25s",
    ),
    _rule(
        "unhappy",
        "event",
        "0s",
        "8s",
        family="service",
        of={"event": "Survey Answered", "where": {"path": "score", "at_most": 6}},
        exit={"event": "Survey Withdrawn"},
    ),
    _rule("has_bought", "change", "5s", family="lifecycle", enters="buyer", history="ignore"),
)
BY_NAME: Mapping[str, Rule] = {rule.rule: rule for rule in RULES}


def policy_of(random: Random) -> Policy:
    """Of one world: some have caps, some have a night of a few seconds, some have both."""
    caps = [[], [], [{"contacts": 1, "window": "12s"}], [{"contacts": 2, "window": "15s"}]]
    drawn: dict[str, Any] = {"caps": random.choice(caps), "own_cap": None, "zone": "UTC"}
    begin = START + timedelta(seconds=random.randrange(12, 55))
    end = begin + timedelta(seconds=random.randrange(4, 16))
    nights = random.random() < 0.5
    drawn["quiet"] = {"begin": _clock(begin), "end": _clock(end), "channels": ["email"] if nights else []}
    return Policy.model_validate(
        {"version": 1, "grace": "4s", "slot": "2s", "settle": "2s", "tolerance": "20s", "arbiter": drawn}
    )


def _clock(at: datetime) -> time:
    return at.time()
