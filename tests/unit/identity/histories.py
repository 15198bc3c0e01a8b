"""Random shop histories that are small enough to collide: few persons, shared phones and browsers, late and twice."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from hypothesis import strategies as st
from msgspec import Raw

from tern_common.events import Event
from tern_common.identifiers import NAMESPACES
from tern_identity.domain.collapsing import Heard
from tern_identity.domain.reading import read
from tern_identity.domain.rules import Rules

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)

TIGHT = Rules(
    version=1,
    values_per_customer={
        "user_id": 1,
        "wechat_unionid": 1,
        "loyalty_card": 2,
        "phone": 2,
        "email": 2,
        "wechat_openid": 1,
    },
    partners_unique=2,
    partners_other=3,
    new_partners_per_hour=2,
    browsers_per_account=2,
)
HASTY = Rules(
    version=1,
    values_per_customer={
        "user_id": 1,
        "wechat_unionid": 1,
        "loyalty_card": 2,
        "phone": 2,
        "email": 2,
        "wechat_openid": 1,
    },
    partners_unique=9,
    partners_other=9,
    new_partners_per_hour=1,
    browsers_per_account=2,
)
"""Two new partners within an hour are too many: values go into quarantine, and come out when an earlier saying does."""

SHIPPED = Rules(
    version=1,
    values_per_customer={
        "user_id": 1,
        "wechat_unionid": 1,
        "loyalty_card": 3,
        "phone": 3,
        "email": 5,
        "wechat_openid": 1,
    },
    partners_unique=5,
    partners_other=10,
    new_partners_per_hour=10,
    browsers_per_account=500,
)


class Said(NamedTuple):
    """One event in short: numbers of a person, a phone, an e-mail and a browser; 0 is none. Hours since the start."""

    message: int
    hours: int
    user: int = 0
    phone: int = 0
    email: int = 0
    browser: int = 0
    trusted: bool = True


def event(said: Said) -> Event:
    contacts: dict[str, Any] = {}
    if said.phone:
        contacts["phone"] = f"1381234567{said.phone}"
    if said.email:
        contacts["email"] = f"ann{said.email}@example.com"
    moment = START + timedelta(hours=said.hours)
    return Event(
        message_id=f"m-{said.message}",
        type="identify",
        event_time=moment,
        received_at=moment,
        source_id="shop" if said.trusted else "browser",
        trusted=said.trusted,
        user_id=f"user-{said.user}" if said.user else None,
        anonymous_id=f"browser-{said.browser}" if said.browser else None,
        traits=Raw(msgspec.json.encode(contacts)),
    )


def hear(said: Said) -> Heard:
    told = event(said)
    return Heard(read(told, NAMESPACES), told.event_time, told.message_id, told.source_id)


def heard(history: Iterable[Said]) -> list[Heard]:
    return [hear(said) for said in history]


def _one_of(most: int) -> st.SearchStrategy[int]:
    return st.integers(0, most)


def sayings(trusted: st.SearchStrategy[bool] | None = None) -> st.SearchStrategy[Said]:
    return st.builds(
        Said,
        message=st.integers(1, 30),
        hours=st.sampled_from([0, 1, 2, 20, 24, 30, 50, 75]),
        user=_one_of(3),
        phone=_one_of(4),
        email=_one_of(3),
        browser=_one_of(3),
        trusted=st.sampled_from([True, True, True, False]) if trusted is None else trusted,
    )


histories = st.lists(sayings(), min_size=1, max_size=14)
"""Any history. One message may come with several contents, as only a broken client sends it."""
