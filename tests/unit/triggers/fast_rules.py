"""One rule of every kind and fold, with waits so short that an afternoon sees all of them.

They ask for tasks, since what is compared is when and why something is decided; contacts are the arbiter's.
"""

from __future__ import annotations

from typing import Any

from tern_triggers.domain.policy import Arbiter, Policy
from tern_triggers.domain.rules import RULE, Rule, ruleset

POLICY = Policy(version=1, arbiter=Arbiter(zone="Pacific/Guadalcanal"))
"""Eleven hours ahead of UTC and without summer time: midnight is an hour after the start."""


def rule(name: str, kind: str, *steps: tuple[str, str], **more: Any) -> Rule:
    """`steps`: (after, expires_after)."""
    written = [{"after": after, "act": "task", "expires_after": expires} for after, expires in steps]
    return RULE.validate_python(
        {"rule": name, "kind": kind, "family": "service", "purpose": "service", "steps": written, **more}
    )


CART = rule("fast_cart", "inactivity", ("30m", "60m"), fold="cart", key="cart_id", max_hold="70m")
CHECKOUT = rule(
    "fast_checkout", "inactivity", ("20m", "60m"), ("45m", "60m"), fold="checkout", key="cart_id", max_hold="70m"
)
BROWSE = rule("fast_browse", "inactivity", ("25m", "60m"), fold="browse", max_hold="50m")
RECALL = rule("fast_recall", "inactivity", ("45m", "40m"), fold="orders", history="ignore")
FIRST = rule("fast_first", "inactivity", ("40m", "60m"), fold="first_order", key="order_id")
ABSENT = rule("fast_absent", "inactivity", ("50m", "60m"), fold="presence", history="ignore")
INQUIRY = rule(
    "fast_inquiry",
    "inactivity",
    ("15m", "40m"),
    ("40m", "40m"),
    key="ticket_id",
    max_hold="60m",
    start={"event": "Inquiry Opened"},
    reset={"event": "Inquiry Answered"},
    exit={"event": "Inquiry Closed"},
)
VIEWS = rule(
    "safe_views",
    "count",
    ("0s", "60m"),
    of={"event": "Product Viewed"},
    exit={"event": "Product Hidden"},
    key="product_id",
    at_least=3,
    within="60m",
    cooldown="50m",
)
DWELL = rule(
    "safe_dwell",
    "count",
    ("0s", "60m"),
    of={"event": "Product Viewed"},
    sum="seconds",
    at_least=12,
    within="40m",
    cooldown="30m",
    wait="safe",
)
DAYS = rule(
    "safe_days",
    "count",
    ("0s", "60m"),
    of={"event": "Product Viewed"},
    days="running",
    at_least=2,
    within="2d",
    cooldown="40m",
    wait="safe",
)
ANSWER = rule(
    "safe_answer",
    "event",
    ("10m", "60m"),
    of={"event": "Answer Given", "where": {"path": "score", "at_most": 6}},
    exit={"event": "Answer Withdrawn"},
    key="ticket_id",
)
BAD_ANSWER = rule(
    "once_answer",
    "event",
    ("0s", "9h"),
    ("20m", "60m"),
    of={"event": "Answer Given", "where": {"path": "score", "at_most": 3}},
    exit={"event": "Answer Withdrawn"},
)
OFTEN = rule(
    "once_views",
    "count",
    ("0s", "9h"),
    of={"event": "Product Viewed"},
    key="product_id",
    at_least=2,
    within="30m",
    cooldown="40m",
)
BIRTHDAY = rule("fast_birthday", "date", ("0s", "60m"), date="traits.birthday", at="00:30")
VIP = rule("fast_vip", "change", ("5m", "60m"), enters="vip", history="ignore")

RULES = [
    CART, CHECKOUT, BROWSE, RECALL, FIRST, ABSENT, INQUIRY, VIEWS, DWELL, DAYS, ANSWER, BAD_ANSWER, OFTEN, BIRTHDAY, VIP
]  # fmt: skip
RULESET = ruleset(RULES)
EVENTS = [
    "product viewed", "product viewed", "product viewed", "product hidden", "inquiry opened", "inquiry answered",
    "inquiry closed", "answer given", "answer given", "answer withdrawn",
]  # fmt: skip
