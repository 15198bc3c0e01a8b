"""How long senders wait: whoever is still there when his time is over is told, and nobody else."""

from __future__ import annotations

import asyncio

from support.waiting import eventually
from tern_common.kafka.patience import Patience


async def test_who_still_waits_is_told_once_not_long_before_his_time_is_over() -> None:
    told: list[tuple[str, float]] = []
    loop = asyncio.get_running_loop()
    patience: Patience[str] = Patience(lambda who: told.append((who, loop.time())))
    begun = loop.time()
    patience.begin("late", 0.3)
    patience.begin("soon", 0.1)
    patience.begin("gone", 0.1).discard("gone")
    await eventually(lambda: len(told) == 2, 5, "both are told")
    (soon, soon_at), (late, late_at) = told
    assert (soon, late) == ("soon", "late")
    assert soon_at - begun > 0.07
    assert late_at - begun > 0.27


async def test_many_share_a_timer() -> None:
    told: list[int] = []
    patience: Patience[int] = Patience(told.append)
    groups = {id(patience.begin(number, 0.1)) for number in range(100)}
    assert len(groups) <= 2
    await eventually(lambda: len(told) == 100, 5, "all are told")
    assert sorted(told) == list(range(100))


async def test_who_has_no_patience_is_told_at_once() -> None:
    told: list[str] = []
    Patience(told.append).begin("none", 0)
    await eventually(lambda: told == ["none"], 5, "he is told")
