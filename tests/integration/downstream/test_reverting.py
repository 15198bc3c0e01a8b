"""A merge that was wrong is taken back, and both profiles are as they were, field by field (identity.md §6)."""

from __future__ import annotations

from random import Random
from uuid import UUID

import pytest

from integration.downstream.platform import Kept, Platform, ProfileState
from integration.downstream.telling import customers, shopping
from integration.identity.desk import ACT, FIRST_DAY, Desk, user
from integration.identity.shop_talk import record
from integration.profile.world import batches
from tern_common.events import Event, Merged
from tern_common.identifiers import Identifier
from tern_common.topics import RESOLVED
from tern_identity.store.acting import Wish
from tern_profile.views import ProfileView
from unit.identity.histories import SHIPPED, Said, event

ANN = [Said(1, 0, user=1, phone=1, browser=1), Said(2, 2, user=1, email=1), Said(3, 3, browser=1), Said(4, 30, phone=1)]
BEN = [Said(5, 1, email=2, browser=2), Said(6, 4, card=2, email=2), Said(7, 26, card=2), Said(8, 31, browser=2)]
WRONG = Said(9, 50, phone=1, email=2)
"""A clerk typed Ben's e-mail into Ann's record: an event of Ann's, which stays hers."""


def bought(random: Random) -> list[Event]:
    """Each person several times: so there are carts, orders, consents and traits on both sides."""
    again = [said._replace(message=said.message + 100 * turn) for turn in range(1, 6) for said in (*ANN, *BEN)]
    return [event(said) for said in (*ANN, *BEN)] + [shopping(random, said) for said in again]


class Chain:
    """Identity with an operator; profile and triggers behind it, who are told what is new in random batches."""

    def __init__(self, platform: Platform, random: Random) -> None:
        self.desk = Desk(platform.graphs, SHIPPED)
        self._platform = platform
        self._random = random
        self._told: set[tuple[int, int]] = set()

    async def hear(self, *events: Event) -> None:
        await self.desk.worker.take([record(one) for one in events])
        await self.tell()

    async def tell(self) -> None:
        records = {(one.partition, one.offset): one for one in self.desk.worker.bus.sent(RESOLVED)}
        news = [records[place] for place in sorted(records.keys() - self._told)]
        self._told |= records.keys()
        await self._platform.deliver(batches(self._random.sample(news, len(news)), self._random))

    async def revert(self, message_id: str) -> None:
        """The merge that this event made is taken back, and all are told."""
        merges = [one for one in self.desk.worker.notices() if isinstance(one, Merged)]
        [merge_id] = {one.merge_id for one in merges if one.cause.get("event_id") == message_id}
        await self.desk.operators.act(Wish("revert", day=FIRST_DAY + 2, merge_id=UUID(merge_id)), ACT)
        await self.tell()

    def ids(self) -> list[str]:
        return customers(self.desk.worker.bus.sent(RESOLVED))


@pytest.mark.parametrize("seed", range(4))
async def test_a_reverted_merge_leaves_both_profiles_as_they_were(platform: Platform, seed: int) -> None:
    chain = Chain(platform, Random(seed))
    await chain.hear(*bought(Random(seed)))
    ann, ben = await whose(chain, user(1)), await whose(chain, Identifier("email", "ann2@example.com"))
    ids = chain.ids()
    before = await platform.profile_state(ids)
    assert ann != ben

    await chain.hear(event(WRONG))
    merged = await platform.answer(ann)
    assert merged is not None
    assert await platform.answer(ben) == merged, "one profile"
    await chain.revert("m-9")
    after = await platform.profile_state(ids)

    [clerk] = after.homes.keys() - before.homes.keys()
    assert after.homes.pop(clerk).customer_id == ann
    assert unversioned(after) == unversioned(before)
    assert after.published[ben] == before.published[ben]
    for one in ids:
        assert differing(before.answers[one], after.answers[one], hers=ann) <= OF_THE_CLERK


OF_THE_CLERK = {"homes", "counts", "last_seen_at", "active_hours", "contacts", "consent"}
"""What his own event says of Ann: a home, an identify, its time (a later day: those before count in her active hours),
and an e-mail address with what is known of that."""


def differing(before: ProfileView | None, after: ProfileView | None, hers: str) -> set[str]:
    """The fields that differ of what is hers; of all others none may."""
    if before is None or after is None or before.customer_id != hers:
        assert before == after
        return set()
    was, now = before.model_dump(), after.model_dump()
    return {name for name in was if was[name] != now[name]}


def unversioned(state: ProfileState) -> dict[str, Kept]:
    """The fragments, and whose they are."""
    return {home: kept._replace(version=0) for home, kept in state.homes.items()}


async def whose(chain: Chain, identifier: Identifier) -> str:
    return str(await chain.desk.whose(identifier))
