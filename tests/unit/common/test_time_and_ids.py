"""Clocks and ids."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from tern_common.clock import ManualClock, SystemClock, VirtualClock, clock_for
from tern_common.ids import new_secret, new_uuid7, new_uuid7s, uuid7

AT = datetime(2026, 3, 1, tzinfo=UTC)


def test_a_virtual_clock_moves_for_all_who_share_its_file(tmp_path: Path) -> None:
    mine, yours = VirtualClock(tmp_path / "clock"), VirtualClock(tmp_path / "clock")
    before = yours.now()
    mine.move_to(before + timedelta(days=90))
    assert timedelta(days=90) <= yours.now() - before < timedelta(days=90, minutes=1)


def test_virtual_time_never_goes_back(tmp_path: Path) -> None:
    clock = VirtualClock(tmp_path / "clock")
    clock.move_to(clock.now() + timedelta(hours=1))
    ahead = clock.now()
    clock.move_to(ahead - timedelta(minutes=30))
    assert clock.now() >= ahead


def test_without_a_file_time_is_the_machines(tmp_path: Path) -> None:
    assert type(clock_for(None)) is SystemClock
    assert isinstance(clock_for(tmp_path / "clock"), VirtualClock)


async def test_a_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(AT)
    await asyncio.gather(clock.sleep(2), clock.sleep(3))
    assert clock.now() == AT + timedelta(seconds=5)
    assert clock.monotonic() == 5


async def test_the_real_clock_waits() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    await clock.sleep(0.01)
    assert clock.monotonic() - before >= 0.01


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1)), st.integers(0, (1 << 74) - 1))  # noqa: DTZ001
def test_a_uuid7_is_of_version_7_and_carries_its_milliseconds(naive: datetime, bits: int) -> None:
    at = naive.replace(tzinfo=UTC)
    made = uuid7(at, bits)
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == int(at.timestamp() * 1000)


def test_ids_born_later_sort_later_and_secrets_differ() -> None:
    assert new_uuid7(AT) < new_uuid7(AT + timedelta(milliseconds=1))
    assert new_secret() != new_secret()


def test_ids_that_are_drawn_together_are_as_good_as_single_ones() -> None:
    made = [UUID(bytes=one) for one in new_uuid7s(AT, 100)]
    assert len(set(made)) == 100
    assert {(one.version, one.variant, one.int >> 80) for one in made} == {
        (7, "specified in RFC 4122", int(AT.timestamp() * 1000))
    }
    assert new_uuid7s(AT, 0) == []
