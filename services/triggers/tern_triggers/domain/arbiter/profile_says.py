"""What conditions of rules and steps may ask of a profile."""

from __future__ import annotations

from decimal import Decimal

from tern_common.conditions import Value, holds, value_of
from tern_triggers.domain.arbiter.reach import POINT_OF
from tern_triggers.domain.rules import Condition
from tern_triggers.domain.view import Verdicts, View

SINGLE = frozenset({"orders", "order_value", "zone"})
NAMED = frozenset({"traits", "computed", "classes", "contacts"})
"""Roots of the paths: `orders`, `order_value`, `zone`; `traits.<name>`, `computed.<name>`, `classes.<name>` (whether
it is in the class), `contacts.<email, phone or a channel>` (whether there is one) and of these `.trusted` and
`.doubtful`."""


def is_met(condition: Condition | None, view: View) -> bool:
    """Whether it is true of the customer's profile as it is known. Without a profile everything is missing."""
    return condition is None or holds(condition, lambda path: said(view.profile, path))


def said(profile: Verdicts | None, path: str) -> Value:
    """What the profile says under a path; nothing under a path that profiles do not have."""
    if profile is None:
        return None
    root, _, name = path.partition(".")
    match root:
        case "orders" | "order_value":
            return Decimal(profile.orders if root == "orders" else profile.order_value)
        case "zone":
            return profile.zone
        case "traits":
            return value_of(profile.traits.get(name))
        case "computed":
            found = profile.computed.get(name)
            return None if found is None else value_of(found.value)
        case "classes":
            return name in profile.classes
        case "contacts":
            return _contact(profile, name)
        case _:
            return None


def _contact(profile: Verdicts, name: str) -> Value:
    kind, _, asked = name.partition(".")
    point = profile.contacts.get(POINT_OF.get(kind, kind))
    match asked:
        case "":
            return point is not None
        case "trusted":
            return point is not None and point.trusted
        case "doubtful":
            return point is not None and point.doubtful
        case _:
            return None
