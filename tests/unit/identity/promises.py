"""What must hold for every history, as plain checks: run on the algorithm, and on broken variants of it.

A check raises `AssertionError`. `Make` builds an empty graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from tern_identity.domain.canonical import canonical
from tern_identity.domain.rules import Rules, admissible
from unit.identity.histories import Said, heard
from unit.identity.memory_graph import Member, MemoryGraph

Make = Callable[[Rules], MemoryGraph]
Promise = Callable[[Make, Rules, Sequence[Said], Random], None]


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


def filed(graph: MemoryGraph, batches: Sequence[Sequence[Said]]) -> MemoryGraph:
    for batch in batches:
        graph.file(heard(batch, graph.rules.known))
    graph.fold_deferred()
    return graph


def equals_the_specification(graph: MemoryGraph) -> None:
    wanted = canonical(graph.ledger(), graph.rules)
    assert {node: row.core for node, row in graph.strong.items()} == wanted.core_of
    assert {node: row.guard for node, row in graph.strong.items() if row.guard} == wanted.guards
    assert {home_id: member.customer for home_id, member in graph.members.items()} == wanted.customers


def incremental_equals_canonical_after_every_step(
    make: Make, rules: Rules, history: Sequence[Said], random: Random
) -> None:
    graph = make(rules)
    for batch in shuffled_in_batches(history, random):
        graph.file(heard(batch, rules.known))
        graph.fold_deferred()
        equals_the_specification(graph)


def partition_does_not_depend_on_arrival(make: Make, rules: Rules, history: Sequence[Said], random: Random) -> None:
    one_by_one = filed(make(rules), [[said] for said in history])
    otherwise = filed(make(rules), shuffled_in_batches(history, random))
    assert one_by_one.partition() == otherwise.partition()


def batches_equal_one_by_one_ids_included(make: Make, rules: Rules, history: Sequence[Said], random: Random) -> None:
    cut = random.randint(0, len(history))
    one_by_one = filed(make(rules), [[said] for said in history])
    in_batches = filed(make(rules), [history[:cut], history[cut:]])
    assert one_by_one.eras == in_batches.eras
    assert {key: it.customer for key, it in one_by_one.members.items()} == {
        key: it.customer for key, it in in_batches.members.items()
    }


def untrusted_events_never_join_or_part(make: Make, rules: Rules, history: Sequence[Said], random: Random) -> None:
    def cores(events: Sequence[Said]) -> set[frozenset[str]]:
        graph = filed(make(rules), shuffled_in_batches(events, random)) if events else make(rules)
        return {core for node in graph.strong if len(core := graph.core(node)) > 1}

    assert cores(history) == cores([said for said in history if said.trusted])


def a_typed_contact_moves_nothing(make: Make, rules: Rules, history: Sequence[Said], random: Random) -> None:
    before = filed(make(rules), [history])
    after = filed(make(rules), [history])
    typed = [said._replace(trusted=False, user=0, union=0, browser=said.browser or 1) for said in history]
    silent = [said._replace(phone=0, email=0, card=0, openid=0, other_openid=0, member=0) for said in typed]
    after.file(heard(typed, rules.known))
    before.file(heard(silent, rules.known))
    known = before.partition()
    assert {key: after.partition().cores[key] for key in known.cores} == known.cores
    assert {key: after.partition().homes[key] for key in known.homes} == known.homes


def members_never_meet(make: Make, rules: Rules, history: Sequence[Said], random: Random) -> None:
    graph = filed(make(rules), shuffled_in_batches(history, random))
    for core in {row.core for row in graph.strong.values()}:
        members = [row.node for row in graph.strong.values() if row.core == core]
        assert admissible(members, rules)
        assert [node.namespace for node in members].count("user_id") <= 1


def a_members_id_never_changes(make: Make, rules: Rules, history: Sequence[Said], random: Random) -> None:
    graph = make(rules)
    for batch in shuffled_in_batches(history, random):
        graph.file(heard(batch, rules.known))
        for node, row in graph.strong.items():
            if row.node.namespace == "user_id":
                assert row.core == node


def ids_always_resolve_to_one_live_id(make: Make, rules: Rules, history: Sequence[Said], random: Random) -> None:
    graph = make(rules)
    for batch in shuffled_in_batches(history, random):
        graph.file(heard(batch, rules.known))
        live = {member.customer for member in graph.members.values()}
        for _, member in graph.told:
            now = graph.resolve(member.customer)
            assert graph.resolve(now) == now
            assert now in live or now.standing == "browser"


def versions_grow_and_any_delivery_converges(make: Make, rules: Rules, history: Sequence[Said], random: Random) -> None:
    graph = filed(make(rules), shuffled_in_batches(history, random))
    delivered = [*graph.told, *random.choices(graph.told, k=len(graph.told))]
    random.shuffle(delivered)
    reader: dict[str, Member] = {}
    for home_id, member in delivered:
        if home_id not in reader or member.version > reader[home_id].version:
            reader[home_id] = member
    assert reader == graph.members


PROMISES: tuple[Promise, ...] = (
    incremental_equals_canonical_after_every_step,
    partition_does_not_depend_on_arrival,
    batches_equal_one_by_one_ids_included,
    untrusted_events_never_join_or_part,
    a_typed_contact_moves_nothing,
    members_never_meet,
    a_members_id_never_changes,
    ids_always_resolve_to_one_live_id,
    versions_grow_and_any_delivery_converges,
)
