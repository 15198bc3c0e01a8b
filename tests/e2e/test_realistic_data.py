"""A month of a shop with known truth, through the public doors: what is joined is right, and how much is found.

What is counted, and where the figures of the world come from: docs/realistic-data.md. The figures of a run are logged.
"""

from __future__ import annotations

import logging
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import httpx
import pytest

from support.platform import tern_local
from support.shop import Shop
from support.world import remedies, shares, truth
from support.world.asking import Filed, customers_of, filed
from support.world.building import World, build
from support.world.operating import Operator
from support.world.sending import send_world
from tern_common.clock import VirtualClock
from tern_common.identifiers import Identifier

PERSONS, SEED = 300, 41
MOST_ACTS = 150

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """A world, and what the platform made of it."""

    world: World
    customers: Mapping[Identifier, str]
    events: Filed


@pytest.fixture(scope="module")
async def month(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    """A platform of its own: hundreds of orders would be hundreds of timers for whoever moves the common clock."""
    data = tmp_path_factory.mktemp("month")
    with tern_local(data, "run", "--virtual-clock") as command:
        await command.says("Tern is ready")
        async with httpx.AsyncClient(timeout=30) as http:
            yield Shop(command.run_file, command.log, http, VirtualClock(data / "clock"))


async def played(shop: Shop, name: str, untruths: shares.Untruths) -> World:
    """Sends a month and waits until all of it is taken into account; what was announced is done."""
    world = build(f"{name}{secrets.token_hex(4)}", SEED, PERSONS, shop.clock.now(), untruths)
    await send_world(shop, world)
    await shop.settled()
    operator = Operator(shop)
    for handed in world.announced:
        await operator.does(remedies.retire(handed))
    return world


async def outcome(shop: Shop, world: World) -> Outcome:
    return Outcome(world, await customers_of(shop, truth.stated(world)), await filed(shop, world.population.tag))


@pytest.fixture(scope="module")
async def truthful(month: Shop) -> Outcome:
    """The shop's servers only say what is so."""
    return await outcome(month, await played(month, "t", shares.TRUTHFUL))


async def test_what_is_joined_is_one_person_where_trusted_facts_are_true(truthful: Outcome) -> None:
    world, customers, events = truthful.world, truthful.customers, truthful.events
    assert events.arrived == {said.message_id for said in world.said}
    say("identifiers, truthful", truth.judge_identifiers(world, customers))
    say("events that name a person, truthful", truth.judge_events(world, events.customers))
    assert truth.false_joins(world, customers) == []
    assert truth.judge_events(world, events.customers).precision == 1.0


async def test_all_that_true_facts_connect_is_found(truthful: Outcome) -> None:
    promised = truth.promised(truthful.world)
    log.info("promised pairs: %d", len(promised))
    assert promised - truth.joined(truthful.customers) == set()


async def test_an_event_that_names_nobody_goes_astray_only_on_a_browser_of_several(truthful: Outcome) -> None:
    world, customers = truthful.world, truthful.events.customers
    behind, users = truth.persons_behind(world, truthful.customers), truth.users_of_cookies(world)
    verdicts: Counter[tuple[truth.Verdict, bool]] = Counter()
    for said in world.said:
        if said.cookie and not said.named:
            whose = truth.verdict(said, customers.get(said.message_id), behind)
            verdicts[whose, len(users[said.cookie]) > 1] += 1
    log.info("events that name nobody, and whether several use the browser: %s", dict(verdicts))
    assert verdicts["another's", False] == 0
    assert verdicts["hers", False] > 0


async def test_every_false_join_that_an_untruth_causes_is_explained_and_undone(month: Shop) -> None:
    world = await played(month, "u", shares.UNTRUTHFUL)
    before = await outcome(month, world)
    say("identifiers, untruthful", truth.judge_identifiers(world, before.customers))
    say("events that name a person, untruthful", truth.judge_events(world, before.events.customers))
    assert truth.false_joins(world, before.customers)
    typed = Counter(said.named[-1] for said in world.said if said.untrue)
    assert max(typed, key=typed.__getitem__) not in before.customers, "the number for everybody is in quarantine"

    operator = Operator(month)
    await undo_false_joins(month, world, operator, dict(before.customers))
    await block_what_is_ambiguous(month, world, operator)

    after = await outcome(month, world)
    log.info("controls given: %s", dict(Counter(operator.acts)))
    say("identifiers, undone", truth.judge_identifiers(world, after.customers))
    say("events that name a person, undone", truth.judge_events(world, after.events.customers))
    assert truth.false_joins(world, after.customers) == []
    assert truth.judge_events(world, after.events.customers).precision == 1.0


async def undo_false_joins(shop: Shop, world: World, operator: Operator, customers: dict[Identifier, str]) -> None:
    """One after the other: asks why, undoes what the answer shows to be wrong, looks again at whom that touched."""
    said_in = {said.message_id: set(said.identifiers) for said in world.said}
    while found := truth.false_joins(world, customers):
        assert len(operator.acts) < MOST_ACTS
        path = await operator.why(found[0])
        assert all({step.a, step.b} <= said_in[step.event_id] for step in path)
        changed = await operator.does(remedies.remedy(world, path))
        touched = [one for one, customer in customers.items() if customer in changed]
        for one in touched:
            del customers[one]
        customers |= await customers_of(shop, touched)


async def block_what_is_ambiguous(shop: Shop, world: World, operator: Operator) -> None:
    """A household's phone is the first one's to give it, and so are sales that name it alone, until it is blocked."""
    events = await filed(shop, world.population.tag)
    for together in remedies.mixed(world, events.customers):
        for value in remedies.ambiguous(world, together):
            await operator.does(remedies.block(value))


def say(what: str, found: truth.Judgement) -> None:
    log.info("%s: %s, precision %.4f, recall %.4f", what, found, found.precision, found.recall)
