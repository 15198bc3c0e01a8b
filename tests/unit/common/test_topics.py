"""The table of topics, and what services say when a topic is not as declared."""

from __future__ import annotations

import pytest

from tern_common.errors import Misconfigured
from tern_common.topics import (
    BY_NAME,
    DAY_MS,
    EVENTS,
    FAMILIES,
    PROFILES,
    PROGRESS,
    REJECTED,
    TABLE,
    Topic,
    faults,
    require,
    triggers_topic,
)

EXISTING = {topic.name: Topic(topic.name, topic.partitions, config=dict(topic.config)) for topic in TABLE}


def test_every_topic_stands_once_with_key_writer_and_reader() -> None:
    assert len(BY_NAME) == len(TABLE)
    assert all(topic.key and topic.from_ and topic.to and topic.partitions > 0 for topic in TABLE)


def test_names_carry_their_version() -> None:
    assert all(topic.name.startswith("tern.") and topic.name.endswith(".v1") for topic in TABLE)


def test_each_family_of_rules_has_its_topic() -> None:
    assert {triggers_topic(family) for family in FAMILIES} <= BY_NAME.keys()


def test_what_readers_need_whole_is_compacted_and_the_rest_is_kept_for_days() -> None:
    compacted = {topic.name for topic in TABLE if topic.config["cleanup.policy"] == "compact"}
    assert compacted == {PROFILES, PROGRESS}
    assert BY_NAME[EVENTS].config["retention.ms"] == str(30 * DAY_MS)


def test_the_rejected_topic_takes_more_than_any_request_may_hold() -> None:
    assert int(BY_NAME[REJECTED].config["max.message.bytes"]) > 8 * 1024 * 1024


def test_progress_has_one_partition_so_that_claims_keep_their_order() -> None:
    assert BY_NAME[PROGRESS].partitions == 1


def test_topics_as_declared_have_no_fault() -> None:
    assert faults(TABLE, EXISTING) == []
    require(BY_NAME, EXISTING)


def test_more_partitions_than_declared_are_no_fault() -> None:
    assert faults([Topic("t", 4)], {"t": Topic("t", 64)}) == []


def test_a_missing_topic_names_the_command_that_creates_it() -> None:
    with pytest.raises(Misconfigured, match=f"topic {EVENTS} is missing: run `tern topics create`"):
        require([EVENTS], {})


def test_every_fault_is_told_at_once() -> None:
    want = Topic("t", 4, config={"cleanup.policy": "compact", "retention.ms": "1"})
    have = Topic("t", 2, config={"cleanup.policy": "delete", "retention.ms": "1"})
    few, policy = faults([want], {"t": have})
    assert "2 partitions, needs 4" in few
    assert "cleanup.policy=delete, needs compact" in policy
