"""What the story shows, claim by claim: what has to stand on Kafka, in the decision log, and in what was explained."""

from __future__ import annotations

from tern_local.demo.cast import BUYER, COLLECTOR, COMMUTER, GUEST, NIGHT_OWL, REGULAR, VISITOR, WISHES
from tern_local.demo.verdict import FIRED, RETRACTED, Claim, Entry, Letter, Wait

CART, RECALL, LIFECYCLE = "tern.triggers.cart.v1", "tern.triggers.recall.v1", "tern.triggers.lifecycle.v1"
REMINDER, HASTY = "cart_abandoned", "hasty_reminder"
FIRST_ORDER = "order-1"


def _reminded(called: str, cart_id: str, became: str = "") -> Entry:
    return Entry(called, REMINDER, cart_id, "fired", became=became)


def _ordered(called: str, cart_id: str, at: str, rule: str = REMINDER, mode: str = "live") -> Entry:
    return Entry(called, rule, cart_id, "ended", "ordered", mode, gone=at)


def _hasty(called: str, cart_id: str, outcome: str, reason: str | None = None, became: str = "") -> Entry:
    return Entry(called, HASTY, cart_id, outcome, reason, "shadow", became)


CLAIMS = (
    Claim(
        "One cart reminder for the visitor, none for the buyer, one recall for the regular.",
        letters=[
            Letter(CART, FIRED, REMINDER, VISITOR.called, VISITOR.cart_id),
            Letter(LIFECYCLE, FIRED, "first_order", REGULAR.called, FIRST_ORDER),
            Letter(RECALL, FIRED, "recall", REGULAR.called),
        ],
        log=[
            _reminded(VISITOR.called, VISITOR.cart_id),
            _ordered(BUYER.called, BUYER.cart_id, "23:20"),
            Entry(REGULAR.called, "first_order", FIRST_ORDER, "fired"),
            Entry(REGULAR.called, "recall", "", "fired"),
        ],
    ),
    Claim(
        "The guest's cart belonged to nobody, the order to a new account: no reminder.",
        log=[_ordered(GUEST.called, GUEST.cart_id, "23:20")],
    ),
    Claim(
        "The commuter's order happened before the reminder and arrived after it: the reminder was retracted.",
        letters=[
            Letter(CART, FIRED, REMINDER, COMMUTER.called, COMMUTER.cart_id),
            Letter(CART, RETRACTED, REMINDER, COMMUTER.called, COMMUTER.cart_id),
        ],
        log=[_reminded(COMMUTER.called, COMMUTER.cart_id, "retracted")],
    ),
    Claim(
        "The collector left two carts and heard of one: the more valuable.",
        letters=[Letter(CART, FIRED, REMINDER, COLLECTOR.called, WISHES)],
        log=[
            _reminded(COLLECTOR.called, WISHES),
            Entry(COLLECTOR.called, REMINDER, COLLECTOR.cart_id, "suppressed", "frequency"),
        ],
    ),
    Claim(
        "The night owl's text message, due at 23:00, waited for the morning; the order at 07:00 came first.",
        log=[_ordered(NIGHT_OWL.called, NIGHT_OWL.cart_id, "07:00")],
        waits=[Wait(NIGHT_OWL.called, REMINDER, NIGHT_OWL.cart_id, "quiet-hours", "23:00", "09:00")],
    ),
    Claim(
        "The rule in shadow would have reminded three, one of them after the order; nobody heard of it.",
        log=[
            _hasty(VISITOR.called, VISITOR.cart_id, "fired"),
            _hasty(COMMUTER.called, COMMUTER.cart_id, "fired", became="retracted"),
            _hasty(COLLECTOR.called, WISHES, "fired"),
            _hasty(COLLECTOR.called, COLLECTOR.cart_id, "suppressed", "frequency"),
            _ordered(BUYER.called, BUYER.cart_id, "23:20", HASTY, "shadow"),
            _ordered(GUEST.called, GUEST.cart_id, "23:20", HASTY, "shadow"),
            _hasty(NIGHT_OWL.called, NIGHT_OWL.cart_id, "suppressed", "no-consent"),
        ],
    ),
)
