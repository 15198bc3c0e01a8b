"""A month of a shop with known truth, through the public doors: what is joined is right, and how much is found.

What is counted, and where the figures of the world come from: docs/realistic-data.md. The figures of a run are logged.
"""

from __future__ import annotations

import logging
import secrets
from collections import Counter

import pytest

from support.shop import Shop
from support.world import truth
from support.world.asking import customers_of, filed
from support.world.building import World, build
from support.world.sending import send_world

PERSONS, SEED = 300, 41

log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
async def truthful(shop: Shop) -> World:
    """A month in which the shop's servers only say what is so, sent and taken into account."""
    world = build(f"t{secrets.token_hex(4)}", SEED, PERSONS, shop.clock.now())
    await send_world(shop, world)
    await shop.settled()
    return world


async def test_identifiers_joined_are_one_persons_where_trusted_facts_are_true(shop: Shop, truthful: World) -> None:
    customers = await customers_of(shop, truth.stated(truthful))
    found = truth.judge_identifiers(truthful, customers)
    log.info("identifiers: %s, precision %.4f, recall %.4f", found, found.precision, found.recall)
    handed = {customers.get(one.number) for one in truthful.handed}
    assert [pair for pair in truth.false_joins(truthful, customers) if customers[pair[0]] not in handed] == []


async def test_everything_that_true_facts_connect_is_found(shop: Shop, truthful: World) -> None:
    customers = await customers_of(shop, truth.stated(truthful))
    handed = {customers.get(one.number) for one in truthful.handed}
    missed = truth.promised(truthful) - truth.joined(customers)
    assert [pair for pair in missed if not {customers[one] for one in pair} & handed] == []


async def test_an_event_that_names_nobody_goes_astray_only_on_a_browser_of_several(shop: Shop, truthful: World) -> None:
    customers = await customers_of(shop, truth.stated(truthful))
    events = await filed(shop, truthful.population.tag)
    assert events.customers.keys() == {said.message_id for said in truthful.said}
    behind, users = truth.persons_behind(truthful, customers), truth.users_of_cookies(truthful)
    handed = {customers.get(one.number) for one in truthful.handed}

    verdicts: Counter[tuple[truth.Verdict, bool]] = Counter()
    for said in truthful.said:
        if said.named or said.cookie is None or events.customers[said.message_id] in handed:
            continue
        whose = truth.verdict(said, events.whose(said.message_id), behind)
        verdicts[whose, len(users[said.cookie]) > 1] += 1
    log.info("anonymous events, by whether several use the browser: %s", dict(verdicts))
    assert verdicts["another's", False] == 0
    assert verdicts["hers", False] > 0
