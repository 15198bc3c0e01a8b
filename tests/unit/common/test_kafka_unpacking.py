"""Fetched bytes are the bus's records at once: aiokafka's own way of unpacking them is replaced, and only there."""

from __future__ import annotations

from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from tern_common.bus import Record
from tern_common.kafka.unpacking import unpack_into_records

HEADERS = [("message-id", b"m1"), ("odd", b"\xff\x00")]


def unpacked(*said: tuple[bytes | None, bytes | None], start: int = 0) -> list[Record]:
    """What a consumer is given of these keys and values, when it reads from `start` on."""
    unpack_into_records()
    batch = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=999,
    )
    for offset, (key, value) in enumerate(said):
        batch.append(offset, 0, key, value, HEADERS)
    records = MemoryRecords(bytes(batch.build()))
    found = fetcher.PartitionRecords(TopicPartition("t", 3), records, [], start, None, None, True, 0)
    return list(found)


def test_a_record_is_the_buss_own_with_headers_in_order() -> None:
    (one,) = unpacked((b"k", b"v"))
    assert type(one) is Record
    assert one == Record("t", 3, 0, b"k", b"v", tuple(HEADERS))


def test_a_tombstone_is_an_empty_value() -> None:
    (one,) = unpacked((None, None))
    assert (one.key, one.value) == (b"", b"")


def test_what_lies_before_the_position_is_left_out() -> None:
    assert [one.offset for one in unpacked((b"k", b"1"), (b"k", b"2"), (b"k", b"3"), start=1)] == [1, 2]
