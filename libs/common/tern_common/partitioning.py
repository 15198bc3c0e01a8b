"""Which partition a key belongs to: the rule of Kafka's own clients, so that other writers agree. Knows no bus."""

from __future__ import annotations

import struct
from functools import lru_cache

_SEED = 0x9747B28C
_MIX = 0x5BD1E995
_WORD = 0xFFFFFFFF


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


@lru_cache(maxsize=16_384)
def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key in a topic of so many partitions."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
