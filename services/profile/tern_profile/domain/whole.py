"""Everything known about one customer, as the API shows it. Decides what of it is hidden from whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tern_common.identifiers import masked
from tern_profile.domain import carts, orders
from tern_profile.domain.carts import Cart
from tern_profile.domain.fragment import Activity
from tern_profile.domain.orders import Kept, Totals
from tern_profile.domain.record import Known, Verdicts
from tern_profile.domain.standing import REMOVED, contact_points

PERSONAL_TRAITS = frozenset(
    {
        "address",
        "avatar",
        "birthday",
        "dateofbirth",
        "email",
        "firstname",
        "fullname",
        "gender",
        "idcard",
        "lastname",
        "middlename",
        "mobile",
        "name",
        "nickname",
        "passport",
        "phone",
        "surname",
        "username",
    }
)
"""Reserved traits of the Segment specification that name or describe a person, without case, `_`, `-` and spaces."""

HIDDEN = b'"***"'


class Whole(NamedTuple):
    """The public part, the activity, and what memberships say. `homes` counts those that hold events."""

    known: Known
    activity: Activity
    verdicts: Verdicts
    profile_version: int
    homes: int

    def orders(self) -> list[Kept]:
        """Newest first."""
        return orders.as_kept(self.known.standing.orders, self.known.standing.returns)

    def totals(self) -> Totals:
        """Of the orders that were kept."""
        return orders.totals(self.orders())

    def cart(self) -> Cart | None:
        """The cart spoken of last."""
        return carts.last_cart(self.activity.carts)

    def ordered(self, cart: Cart) -> bool:
        """Whether an order followed the cart's last change."""
        return any(order.at >= cart.updated_at for order in self.known.standing.orders.values())

    def traits(self, *, hide: bool) -> dict[str, bytes]:
        """Name → JSON."""
        said = sorted(self.known.standing.traits.items())
        return {
            name: HIDDEN if hide and is_personal(name) else bytes(trait.value)
            for name, trait in said
            if trait.value != REMOVED
        }

    def contacts(self, *, hide: bool) -> Mapping[str, tuple[str, bool]]:
        """Channel → (value, whether it is trusted)."""
        points = contact_points(self.known.standing).items()
        return {kind: (masked(value) if hide else value, trusted) for kind, (value, trusted) in points}


def is_personal(trait: str) -> bool:
    """Whether a trait of this name is hidden from who may not see personal data."""
    return "".join(letter for letter in trait.casefold() if letter.isalnum()) in PERSONAL_TRAITS
