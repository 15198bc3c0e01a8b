"""Keys go where Kafka's own clients put them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tern_common.partitioning import Hashes, murmur2, murmur2_of_many, partition_of


@pytest.mark.parametrize(
    ("data", "hashed"),
    [
        # org.apache.kafka.common.utils.UtilsTest.testMurmur2
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_hash_is_that_of_kafkas_java_client(data: bytes, hashed: int) -> None:
    assert murmur2(data) == hashed & 0xFFFFFFFF


def test_a_partition_is_the_positive_hash_modulo_their_number() -> None:
    assert partition_of(b"foobar", 7) == (-790332482 & 0x7FFFFFFF) % 7
    assert partition_of(b"", 1) == 0


@given(st.integers(0, 40).flatmap(lambda size: st.lists(st.binary(min_size=size, max_size=size), min_size=1)))
def test_many_keys_of_one_length_hash_as_each_does_alone(keys: list[bytes]) -> None:
    assert murmur2_of_many(keys) == [murmur2(key) for key in keys]


@given(st.lists(st.lists(st.binary(max_size=12))))
def test_keys_of_any_lengths_and_however_often_have_the_partition_they_have_alone(rounds: list[list[bytes]]) -> None:
    hashes = Hashes()
    for keys in rounds:
        assert [hashed % 7 for hashed in hashes.of(keys)] == [partition_of(key, 7) for key in keys]


def test_hashes_of_more_keys_than_are_remembered_are_right() -> None:
    hashes = Hashes()
    for first in range(0, 40_000, 10_000):
        keys = [f"{n:05}".encode() for n in range(first - first // 10, first + 10_000)]
        found = hashes.of(keys)
        assert [found[0], found[-1]] == [murmur2(key) & 0x7FFFFFFF for key in (keys[0], keys[-1])]
