"""Which partition a key belongs to: the rule of Kafka's own clients, so that other writers agree. Knows no bus."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

_SEED = 0x9747B28C
_MIX = 0x5BD1E995
_WORD = 0xFFFFFFFF
_POSITIVE = 0x7FFFFFFF
_WORD_BYTES = 4
_LANE_BYTES = 8
"""At least: room for the product of two words."""
_FEW = 4
"""Fewer keys are hashed sooner one by one."""
_AT_ONCE = 256
"""More keys would not fit the processor's nearest cache."""
_REMEMBERED = 32_768


def murmur2(data: bytes) -> int:
    """MurmurHash2, 32 bits, with the seed of `org.apache.kafka.common.utils.Utils.murmur2`; unsigned."""
    size = len(data)
    whole = size & ~3
    hashed = _SEED ^ size
    for word in struct.unpack_from(f"<{whole // 4}I", data):
        mixed = word * _MIX & _WORD
        mixed = (mixed ^ mixed >> 24) * _MIX & _WORD
        hashed = hashed * _MIX & _WORD ^ mixed
    if size & 3:
        hashed = (hashed ^ int.from_bytes(data[whole:], "little")) * _MIX & _WORD
    hashed = (hashed ^ hashed >> 13) * _MIX & _WORD
    return hashed ^ hashed >> 15


def murmur2_of_many(keys: Sequence[bytes]) -> list[int]:
    """`murmur2` of each of some keys of one length, at a quarter of its cost.

    All keys are one large number, each in a lane of its own with its next word lowest; so one operation on that number
    is a step for all of them. What leaves a lane's lowest word is masked away before it can reach another lane.
    """
    size, many = len(keys[0]), len(keys)
    stride = max(_LANE_BYTES, -(-size // _WORD_BYTES) * _WORD_BYTES)
    padding = bytes(stride - size)
    words = int.from_bytes(padding.join(keys) + padding, "little")
    lowest = int.from_bytes(_WORD.to_bytes(stride, "little") * many, "little")
    hashed = int.from_bytes((_SEED ^ size).to_bytes(stride, "little") * many, "little")
    for _ in range(size // _WORD_BYTES):
        mixed = (words & lowest) * _MIX & lowest
        mixed ^= mixed >> 24 & lowest
        hashed = (hashed * _MIX ^ mixed * _MIX) & lowest
        words >>= 32
    if size % _WORD_BYTES:
        hashed = (hashed ^ words & lowest) * _MIX & lowest
    hashed = (hashed ^ hashed >> 13 & lowest) * _MIX & lowest
    hashed ^= hashed >> 15 & lowest
    lanes = struct.iter_unpack(f"<I{stride - _WORD_BYTES}x", hashed.to_bytes(stride * many, "little"))
    return [lane for (lane,) in lanes]


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key in a topic of so many partitions."""
    return (murmur2(key) & _POSITIVE) % partitions


class Hashes:
    """The positive hash of keys, each of which is worked out once in a while: the partition is its remainder."""

    def __init__(self) -> None:
        self._known: dict[bytes, int] = {}

    def of(self, keys: Sequence[bytes]) -> list[int]:
        """In the order of the keys. A partition is the hash modulo the number of partitions."""
        known = self._known
        if new := set(keys).difference(known):
            if len(known) + len(new) > _REMEMBERED:
                known.clear()
                new = set(keys)
            for some in _alike(new):
                known.update(zip(some, map(_POSITIVE.__and__, _hashed(some)), strict=True))
        return [known[key] for key in keys]


def _alike(keys: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Keys of one length together, not too many at once."""
    for _, of_one_length in groupby(sorted(keys, key=len), key=len):
        some = list(of_one_length)
        for start in range(0, len(some), _AT_ONCE):
            yield some[start : start + _AT_ONCE]


def _hashed(keys: Sequence[bytes]) -> list[int]:
    return murmur2_of_many(keys) if len(keys) >= _FEW else [murmur2(key) for key in keys]
