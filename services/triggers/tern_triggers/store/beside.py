"""What the arbiter keeps beside decisions, and how contacts went: of most customers nothing, so one statement asks all
of its tables.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from tern_common.db import Connection, Row
from tern_triggers.domain.decisions import Why
from tern_triggers.domain.reports import REACHED
from tern_triggers.domain.view import Arm, Deferral, Hold, Responses

_ANSWERED = ("opened", "clicked")

_DEFERRAL, _ARM, _HOLD = 1, 2, 3

_ALL = f"""
SELECT {_DEFERRAL}, home_id, trigger_id, NULL::uuid, rule, why, until, enrolled, NULL::bool, NULL::bigint, NULL::bigint
FROM deferral WHERE home_id = ANY($1::uuid[])
UNION ALL
SELECT {_ARM}, home_id, NULL, NULL, rule, NULL, NULL, NULL, treated, NULL, NULL
FROM arm WHERE home_id = ANY($1::uuid[])
UNION ALL
SELECT {_HOLD}, home_id, trigger_id, hold_id, cart_id, status, until, NULL, NULL, NULL, NULL
FROM hold WHERE home_id = ANY($1::uuid[])
UNION ALL
SELECT 0, home_id, NULL, NULL, channel, NULL, NULL, NULL, NULL,
  count(DISTINCT trigger_id) FILTER (WHERE status = 'sent' OR status = ANY($2::text[])),
  count(DISTINCT trigger_id) FILTER (WHERE status = ANY($3::text[]))
FROM outcome WHERE home_id = ANY($1::uuid[]) AND channel <> '' GROUP BY home_id, channel
"""  # noqa: S608 - numbers of our own


class Beside(NamedTuple):
    """By home: what waits, sides of hold-outs, stock that is held, and how contacts went with their channel."""

    deferrals: Mapping[str, Sequence[Deferral]]
    arms: Mapping[str, Sequence[Arm]]
    holds: Mapping[str, Sequence[Hold]]
    responses: Mapping[str, Sequence[tuple[str, Responses]]]


async def of_homes(conn: Connection, homes: Collection[str]) -> Beside:
    """All under these homes."""
    rows = await conn.fetch(_ALL, list(homes), sorted(REACHED), list(_ANSWERED))
    return _read(rows)


def _read(rows: Sequence[Row]) -> Beside:
    deferrals: dict[str, list[Deferral]] = {}
    arms: dict[str, list[Arm]] = {}
    holds: dict[str, list[Hold]] = {}
    responses: dict[str, list[tuple[str, Responses]]] = {}
    for what, home, trigger_id, hold_id, name, said, until, enrolled, treated, sent, answered in rows:
        home_id = home.hex
        if what == _DEFERRAL:
            waiting = Deferral(str(trigger_id), home_id, name, until, Why(said), enrolled)
            deferrals.setdefault(home_id, []).append(waiting)
        elif what == _ARM:
            arms.setdefault(home_id, []).append(Arm(home_id, name, treated))
        elif what == _HOLD:
            holds.setdefault(home_id, []).append(Hold(str(hold_id), str(trigger_id), said, until, name))
        else:
            responses.setdefault(home_id, []).append((name, Responses(sent, answered)))
    return Beside(deferrals, arms, holds, responses)
