"""What candidate rules would make of the ledger, before anything is applied. Reads only.

Pairs, limits, quarantine, trust and the blocklist are tried; how events would have been *read* (new namespaces, who may
state them) is not, since the ledger has what was read. Browsers are told of by the accounts that would hold none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from tern_common.db import Connection
from tern_identity.domain.comparing import Difference, difference, sided
from tern_identity.domain.rules import Guard
from tern_identity.store.walks.views import View
from tern_identity.store.walks.walking import Region, Stretch, groups_that_begin

EXAMPLES = 20
BIGGEST = 10

_GOLDEN, _ROUND = 2_654_435_761, 1 << 32

_TOKENS = "SELECT node_id, token, ns FROM node WHERE node_id = ANY($1::bigint[])"

_TURNING = """
SELECT count(*) FILTER (WHERE n.crowded), count(*) FILTER (WHERE NOT n.crowded)
FROM node n
WHERE n.node_id = ANY($1::bigint[]) AND n.crowded <> ((
    SELECT count(*) FROM (
        SELECT DISTINCT weak FROM claim
        WHERE strong = n.node_id AND (rank = 1 OR source <> ALL($3::text[])) LIMIT $2
    ) AS seen
) >= $2)
"""

Report = dict[str, Any]


def sampled(nodes: Iterable[int], share: float) -> list[int]:
    """About such a share of them, the same ones each time. A group is in the sample if its smallest node is."""
    return [node_id for node_id in nodes if node_id * _GOLDEN % _ROUND < share * _ROUND]


async def simulated(conn: Connection, chunk: Stretch, views: tuple[View, View], share: float, report: Report) -> Report:
    """The report with the groups in it that begin in this chunk. `views`: what is, and what would be."""
    for view in views:
        view.forget()
    seeds = sampled(chunk.strong, share)
    region = await groups_that_begin(conn, seeds, chunk.after, views)
    found = await _difference(conn, region, views)
    turning = await _turning(conn, sorted(region.nodes()), views[1])
    named = await _named(conn, found)
    return _added(report, found, turning, named)


async def _difference(conn: Connection, region: Region, views: tuple[View, View]) -> Difference:
    rows = {node_id: region.rows[node_id] for node_id in region.nodes()}
    nodes = {node_id: row.node for node_id, row in rows.items()}
    sides = []
    for view, links in zip(views, region.links, strict=True):
        guards: dict[int, Guard] = {node_id: guard for node_id in nodes if (guard := view.known[node_id]) is not None}
        rulings = await view.rulings(conn, rows, region.words)
        sides.append(sided(nodes, links, guards, (view.rules, rulings)))
    return difference(*sides)


async def _turning(conn: Connection, nodes: list[int], view: View) -> tuple[int, int]:
    """Accounts that would hold their browsers again, and such that would hold none any more."""
    row = await conn.fetchrow(_TURNING, nodes, view.rules.browsers_per_account + 1, sorted(view.rules.distrusted))
    assert row is not None
    return row[0], row[1]


async def _named(conn: Connection, found: Difference) -> dict[int, tuple[str, str]]:
    """Token and namespace of every node that the report may name."""
    sets = (*found.merged.items(), *found.parted.items(), *_biggest(found.members).items())
    nodes = (
        {node_id for core, others in sets for node_id in (core, *others)} | found.enters.keys() | found.leaves.keys()
    )
    return {row[0]: (str(row[1]), row[2]) for row in await conn.fetch(_TOKENS, sorted(nodes))}


def _biggest(members: Mapping[int, Collection[int]]) -> dict[int, Collection[int]]:
    return dict(sorted(members.items(), key=lambda one: (-len(one[1]), one[0]))[:BIGGEST])


def _added(report: Report, found: Difference, turning: tuple[int, int], named: Mapping[int, tuple[str, str]]) -> Report:
    freed, crowded = turning
    counted: Counter[str] = Counter(report.get("counted", {}))
    counted.update(
        customers_before=found.customers[0],
        customers_after=found.customers[1],
        merges=len(found.merged),
        splits=len(found.parted),
        enter_quarantine=len(found.enters),
        leave_quarantine=len(found.leaves),
        accounts_that_lose_browsers=crowded,
        accounts_that_regain_browsers=freed,
    )

    def tokens(nodes: Iterable[int]) -> list[str]:
        return [named[node_id][0] for node_id in sorted(nodes)]

    biggest = [
        {
            "customer_id": named[core][0],
            "size": len(nodes),
            "namespaces": dict(Counter(named[node_id][1] for node_id in sorted(nodes))),
        }
        for core, nodes in _biggest(found.members).items()
    ]
    return {
        "counted": dict(counted),
        "merges": _some(
            report, "merges", ({"into": named[core][0], "of": tokens(of)} for core, of in found.merged.items())
        ),
        "splits": _some(
            report, "splits", ({"of": named[core][0], "into": tokens(into)} for core, into in found.parted.items())
        ),
        "enter_quarantine": _some(report, "enter_quarantine", _values(found.enters, named)),
        "leave_quarantine": _some(report, "leave_quarantine", _values(found.leaves, named)),
        "biggest": sorted([*report.get("biggest", ()), *biggest], key=lambda one: -int(one["size"]))[:BIGGEST],
    }


def _values(guards: Mapping[int, str], named: Mapping[int, tuple[str, str]]) -> Iterable[dict[str, str]]:
    for node_id, guard in sorted(guards.items()):
        token, namespace = named[node_id]
        yield {"node": token, "namespace": namespace, "guard": guard}


def _some(report: Report, name: str, more: Iterable[Mapping[str, object]]) -> list[Mapping[str, object]]:
    return [*report.get(name, ()), *more][:EXAMPLES]
