"""Everything known about one customer, as the API shows it. Decides what of it is hidden from whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import replace

from tern_common.events import Computed, Contact, PublicProfile
from tern_common.identifiers import masked
from tern_profile.domain import carts, orders
from tern_profile.domain.carts import Cart
from tern_profile.domain.computed.declaring import NUMBERS
from tern_profile.domain.computed.declaring import Computed as Declaration
from tern_profile.domain.fragment import Activity
from tern_profile.domain.orders import Kept, Totals
from tern_profile.domain.record import Known, Verdicts, contacts
from tern_profile.domain.standing import REMOVED

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

HIDDEN_TEXT = "***"
HIDDEN = b'"***"'


class Whole(NamedTuple):
    """What moves slowly, the activity, what was published last, and what memberships say.

    `homes` counts those that hold events; `declared`: the computed traits. What is concluded (zone, hours, computed
    traits, classes) is shown as it was published: so that whoever looks sees what others act on.
    """

    known: Known
    activity: Activity
    verdicts: Verdicts
    profile_version: int
    homes: int
    public: PublicProfile
    declared: Mapping[str, Declaration] = {}

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

    def contacts(self, *, hide: bool) -> Mapping[str, Contact]:
        """By channel."""
        points = contacts(self.known.standing).items()
        return {kind: replace(point, value=masked(point.value)) if hide else point for kind, point in points}

    def computed(self, *, hide: bool) -> dict[str, Computed]:
        """By name. Of a property that describes a person the value is hidden; of what is no more declared, too."""
        found = self.public.computed.items()
        return {
            name: replace(one, value=HIDDEN_TEXT) if hide and _is_about_a_person(self.declared.get(name)) else one
            for name, one in found
        }


def is_personal(trait: str) -> bool:
    """Whether a trait of this name is hidden from who may not see personal data."""
    return "".join(letter for letter in trait.casefold() if letter.isalnum()) in PERSONAL_TRAITS


def _is_about_a_person(declared: Declaration | None) -> bool:
    """Whether its value was taken from where personal data stands. A number of things tells nothing of them."""
    if declared is None:
        return True
    if declared.property is None or declared.of in NUMBERS:
        return False
    return any(is_personal(step) for step in declared.property.split("."))
