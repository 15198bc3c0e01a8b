"""What must hold for every history, as plain checks: run on the algorithm, and on broken variants of it.

A check raises `AssertionError`. `Make` builds an empty graph. Those of operators are in `promises_to_operators.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from random import Random

from tern_identity.domain.canonical import canonical
from tern_identity.domain.folding import groups_of, links_that_count
from tern_identity.domain.ledger import first_links
from tern_identity.domain.reading import day_of
from tern_identity.domain.rules import Rules, admissible
from unit.identity.acts import Act, Item, one_by_one, sayings_of, told_anyhow
from unit.identity.histories import Said, hear
from unit.identity.memory_graph import Member
from unit.identity.memory_ledger import home_id_of
from unit.identity.ruled_graph import RuledGraph, ruled
from unit.identity.specification import expected

Make = Callable[[Rules], RuledGraph]
Promise = Callable[[Make, Rules, Sequence[Item], Random], None]


def shuffled_in_batches(history: Sequence[Said], random: Random) -> list[list[Said]]:
    """The history in any order, some events twice, in batches of any size."""
    events = [*history, *random.choices(history, k=len(history) // 3)]
    random.shuffle(events)
    batches = []
    while events:
        size = random.randint(1, len(events))
        batches.append(events[:size])
        events = events[size:]
    return batches


def _anyhow(make: Make, rules: Rules, history: Sequence[Item], random: Random) -> RuledGraph:
    return ruled(make(rules), told_anyhow(history, random))


def partition_does_not_depend_on_arrival_order(
    make: Make, rules: Rules, history: Sequence[Item], random: Random
) -> None:
    """It is what the specification makes of the sayings themselves; guards and homes too."""
    assert _anyhow(make, rules, history, random).partition() == expected(history, rules)


def incremental_equals_rebuild_after_every_step(
    make: Make, rules: Rules, history: Sequence[Item], random: Random
) -> None:
    graph = make(rules)
    for step in told_anyhow(history, random):
        graph.take(step)
        if not graph.deferred():
            equals_the_specification(graph)
        elif random.random() < 0.5:
            graph.fold_deferred()
            equals_the_specification(graph)


def equals_the_specification(graph: RuledGraph) -> None:
    """Ids included, and all that the fast path relies on."""
    wanted = canonical(graph.ledger(), graph.rules)
    assert {node: row.core for node, row in graph.strong.items()} == wanted.core_of
    assert {node: row.guard for node, row in graph.strong.items() if row.guard} == wanted.guards
    assert {home_id: member.customer for home_id, member in graph.members.items()} == wanted.customers
    knows_its_groups(graph)


def knows_its_groups(graph: RuledGraph) -> None:
    """Groups are components, known to be contested where they are; none of their pairs is newer than they know."""
    eligible = {node for node, row in graph.strong.items() if row.guard is None}
    links = links_that_count(first_links(graph.pairs, graph.rules.distrusted), eligible, graph.rulings)
    for members in groups_of(graph.strong, links):
        assert {graph.strong[node].grp for node in members} == {min(members)}
        group = graph.groups[min(members)]
        whole = (graph.nodes[node] for node in members)
        assert group.contested != admissible(whole, graph.rules, graph.rulings)
        times = [link.at for link in links if link.a in members]
        assert not times or (group.newest is not None and group.newest >= max(times))


def duplicates_change_nothing(make: Make, rules: Rules, history: Sequence[Item], random: Random) -> None:
    graph = _anyhow(make, rules, history, random)
    members, refolds = dict(graph.members), graph.refolds
    ruled(graph, told_anyhow(sayings_of(history), random))
    assert graph.members == members
    assert graph.refolds == refolds


def batches_equal_one_by_one_ids_included(make: Make, rules: Rules, history: Sequence[Item], random: Random) -> None:
    alone = ruled(make(rules), one_by_one(history))
    steps: list[list[Said] | Act] = []
    for item in history:
        if isinstance(item, Said) and steps and isinstance(steps[-1], list) and random.random() < 0.6:
            steps[-1].append(item)
        else:
            steps.append([item] if isinstance(item, Said) else item)
    together = ruled(make(rules), steps)
    assert alone.eras == together.eras
    assert {key: it.customer for key, it in alone.members.items()} == {
        key: it.customer for key, it in together.members.items()
    }


def same_message_with_another_time(make: Make, rules: Rules, history: Sequence[Item], random: Random) -> None:
    """Of one message that comes with several times of a day, the first counts, whichever came first."""
    again = [
        item._replace(hours=item.hours - item.hours % 24 + random.choice([0, 1, 2]))
        for item in sayings_of(history)
        if item.hours % 24 < 3 and random.random() < 0.5
    ]
    both = [*history, *again]
    first: dict[tuple[object, ...], int] = {}
    for item in sayings_of(both):
        key = day_of(hear(item).time), item._replace(hours=0)
        first[key] = min(first.get(key, item.hours), item.hours)
    earliest = [
        item._replace(hours=first[day_of(hear(item).time), item._replace(hours=0)]) if isinstance(item, Said) else item
        for item in history
    ]
    assert _anyhow(make, rules, both, random).partition() == expected(earliest, rules)


def untrusted_events_never_join_or_part(make: Make, rules: Rules, history: Sequence[Item], random: Random) -> None:
    """Nor do those of a source that is trusted no more."""
    trusted = [
        item for item in history if isinstance(item, Act) or (item.trusted and item.source not in rules.distrusted)
    ]
    all_of_it, less = (_anyhow(make, rules, items, random).partition() for items in (history, trusted))
    assert {core for core in all_of_it.cores.values() if len(core) > 1} == {
        core for core in less.cores.values() if len(core) > 1
    }


def a_typed_contact_moves_nothing(make: Make, rules: Rules, history: Sequence[Item], random: Random) -> None:
    before, after = (ruled(make(rules), one_by_one(history)) for _ in range(2))
    typed = [said._replace(trusted=False, user=0, union=0, browser=said.browser or 1) for said in sayings_of(history)]
    silent = [said._replace(phone=0, email=0, card=0, openid=0, other_openid=0, member=0) for said in typed]
    if typed:
        after.take(typed)
        before.take(silent)
    known, now = before.partition(), after.partition()
    assert {key: now.cores[key] for key in known.cores} == known.cores
    assert {key: now.homes[key] for key in known.homes} == known.homes


def no_customer_breaks_a_guard(make: Make, rules: Rules, history: Sequence[Item], random: Random) -> None:
    graph = _anyhow(make, rules, history, random)
    for core in {row.core for row in graph.strong.values()}:
        members = [row for row in graph.strong.values() if row.core == core]
        assert admissible((row.node for row in members), rules, graph.rulings)
        assert len(members) == 1 or all(row.guard is None for row in members)
        assert [row.node.namespace for row in members].count("user_id") <= 1


def two_members_on_one_browser_stay_two(make: Make, rules: Rules, history: Sequence[Item], random: Random) -> None:
    """No browser joins two; what is filed under browsers that two have signed in on by that day is neither's."""
    graph = _anyhow(make, rules, history, random)
    without = [item._replace(browser=0, device=0) if isinstance(item, Said) else item for item in history]
    assert _anyhow(make, rules, without, random).partition().cores == {
        **expected(without, rules).cores,
        **graph.partition().cores,
    }
    for home_id, member in graph.members.items():
        home = graph.homes[home_id]
        if member.customer.standing == "person" and all(graph.nodes[node].is_weak for node in home.nodes):
            assert min(len(_members_on(graph, node, home.day)) for node in home.nodes) <= 1


def _members_on(graph: RuledGraph, weak: int, day: int) -> set[int]:
    logins = (claim for claim in graph.claims if claim[0] == weak and claim[2] == 1 and claim[3] <= day)
    return {graph.strong[strong].core for _, strong, *_ in logins if graph.counts(weak, strong)}


def a_members_id_never_changes(make: Make, rules: Rules, history: Sequence[Item], random: Random) -> None:
    graph = make(rules)
    for step in told_anyhow(history, random):
        graph.take(step)
        for node, row in graph.strong.items():
            if row.node.namespace == "user_id":
                assert row.core == node


def ids_never_reused_and_always_resolve(make: Make, rules: Rules, history: Sequence[Item], random: Random) -> None:
    graph = make(rules)
    for step in told_anyhow(history, random):
        born = dict(graph.nodes)
        graph.take(step)
        assert {number: graph.nodes[number] for number in born} == born
        live = {member.customer for member in graph.members.values()}
        for record in graph.records:
            now = graph.resolve(record.member.customer)
            assert graph.resolve(now) == now
            filed = {home.nodes for home in graph.homes.values()}
            named = any((node,) in filed for node in _nodes_of(graph, now.node_id))
            assert now in live or now.standing == "browser" or not named


def _nodes_of(graph: RuledGraph, node: int) -> set[int]:
    if node not in graph.strong:
        return {node}
    return {other for other, row in graph.strong.items() if row.core == node and row.guard is None}


def versions_grow_and_any_delivery_converges(make: Make, rules: Rules, history: Sequence[Item], random: Random) -> None:
    graph = _anyhow(make, rules, history, random)
    last: dict[str, Member] = {}
    for home_id, member, _ in graph.records:
        known = last.get(home_id, member)
        assert known == member or known.version < member.version
        last[home_id] = member
    delivered = [*graph.records, *random.choices(graph.records, k=len(graph.records))] if graph.records else []
    random.shuffle(delivered)
    reader: dict[str, Member] = {}
    for home_id, member, _ in delivered:
        if home_id not in reader or member.version > reader[home_id].version:
            reader[home_id] = member
    assert reader == graph.members


def consumer_out_of_order_and_twice(make: Make, rules: Rules, history: Sequence[Item], random: Random) -> None:
    """Who keeps fragments by home and memberships by version has the profiles of the end, whatever came when."""
    graph = _anyhow(make, rules, history, random)
    delivered = [*graph.records, *random.choices(graph.records, k=len(graph.records) // 2)] if graph.records else []
    random.shuffle(delivered)
    fragments: dict[str, set[str]] = defaultdict(set)
    members: dict[str, Member] = {}
    profiles: dict[object, set[str]] = {}
    for home_id, member, message_id in delivered:
        was = members.get(home_id, member)
        members[home_id] = max(was, member, key=lambda one: one.version)
        if message_id is not None:
            fragments[home_id].add(message_id)
        for customer in {was.customer, members[home_id].customer}:
            own = (fragments[home] for home, it in members.items() if it.customer == customer)
            profiles[customer] = set().union(*own)
    wanted: dict[object, set[str]] = defaultdict(set)
    for home_id, _, message_id in graph.records:
        if message_id is not None:
            wanted[graph.members[home_id].customer].add(message_id)
    assert {customer: said for customer, said in profiles.items() if said} == wanted


def rebuild_same_ids(make: Make, rules: Rules, history: Sequence[Item], random: Random) -> None:
    """Chunk by chunk from the ledger: nothing changes; and what had gone wrong is right again."""
    graph = _anyhow(make, rules, history, random)
    before = dict(graph.members)
    _rebuild(graph, random)
    assert graph.members == before
    for node in random.sample(sorted(graph.strong), len(graph.strong) // 2):
        graph.strong[node] = graph.strong[node]._replace(core=node)
    _rebuild(graph, random)
    equals_the_specification(graph)
    assert {key: it.customer for key, it in before.items()} == {key: it.customer for key, it in graph.members.items()}


def _rebuild(graph: RuledGraph, random: Random) -> None:
    todo = sorted(graph.nodes)
    while todo:
        size = random.randint(1, len(todo))
        graph.settle_anew(todo[:size])
        todo = todo[size:]


def whose(graph: RuledGraph, said: Said) -> object:
    """In words, the customer of the home where such an event is filed."""
    return graph.partition().homes[home_id_of(hear(said, graph.rules.known).reading.home)]


PROMISES: tuple[Promise, ...] = (
    partition_does_not_depend_on_arrival_order,
    incremental_equals_rebuild_after_every_step,
    duplicates_change_nothing,
    batches_equal_one_by_one_ids_included,
    same_message_with_another_time,
    no_customer_breaks_a_guard,
    untrusted_events_never_join_or_part,
    a_typed_contact_moves_nothing,
    two_members_on_one_browser_stay_two,
    ids_never_reused_and_always_resolve,
    a_members_id_never_changes,
    versions_grow_and_any_delivery_converges,
    consumer_out_of_order_and_twice,
    rebuild_same_ids,
)
