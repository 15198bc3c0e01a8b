"""How often things happen. Each figure names its source, or says that it is our assumption (docs/realistic-data.md)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

HOUSEHOLD_SIZES = {1: 0.24, 2: 0.29, 3: 0.22, 4: 0.14, 5: 0.07, 6: 0.04}
"""Mean 2.63. China's census of 2020 counts 2.62 persons a household; the shape is our assumption."""

SHARED_MAILBOX = 0.27
"""Couples with a mailbox in common (Pew Research Center 2014). That households of two and more hold a couple: ours."""

BORROWED_PHONE = 0.07
"""Adults who borrow somebody's phone, median of eleven countries (Pew Research Center 2019)."""

TABLET = 0.4
"""Households of two and more with a tablet that someone shops on: our assumption."""

TABLET_SHARED = 0.60
"""Of tablets, those that others use too (GlobalWebIndex 2017)."""

SHORT_COOKIES = 0.19
"""Browsers that forget a script's cookie after a week (WebKit, ITP 2.1, 2019): Safari's share (StatCounter 2023)."""
SHORT_LIFE = timedelta(days=7)

DELETES_COOKIES = 0.31
"""Computers whose first-party cookies were deleted in a month (comScore 2007)."""

MISTYPED_EMAIL = 0.02
"""E-mail addresses typed wrongly by their owner: middle of 1 to 3 % (e-mail verifiers' figures, no study)."""

SIGNED_IN = 0.35
"""Our assumptions, as are all that follow: a member's visits in which she signs in."""
MEMBERS = 0.5
CARDS = 0.6
CARD_IN_ACCOUNT = 0.4
PHONE_AT_TILL = 0.6
VISITS = 3.0
VIEWS = (1, 4)
ORDERS = 0.15
SIGNS_UP = 0.08
LAPTOP = 0.5
KIOSK = 0.02
SALES = 1.5


RECYCLED_A_YEAR = 35 / 331
"""Numbers given up a year, for each inhabitant: 35 million (FCC 2018) over 331 million (US census of 2020)."""


@dataclass(frozen=True)
class Untruths:
    """What the shop's own servers say that is not so. As it stands: a world in which trusted facts are true.

    `misheard` and `slips` are shares of the till's sales with card and phone: another customer's number, and nobody's.
    `everybody`: for each such clerk, how many customers got the shop's own number. `unannounced`: nobody tells Tern
    that a number went to somebody else. `careless`: tills and guest checkouts take household phones and mailboxes.
    """

    misheard: float = 0.0
    slips: float = 0.0
    everybody: tuple[int, ...] = ()
    unannounced: bool = False
    careless: bool = False


TRUTHFUL = Untruths()
UNTRUTHFUL = Untruths(misheard=0.03, slips=0.03, everybody=(6, 15), unannounced=True, careless=True)
"""Single entry of data is wrong in 0.29 % of fields (Garza et al. 2023): ten times as often, each way, to have some."""
