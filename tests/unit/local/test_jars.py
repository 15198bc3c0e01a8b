"""Kafka's jars are exactly those that were locked."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tern_local.jars import LOCK, Jar, cache_folder, fetch, read_lock, verify


def test_the_lock_names_every_jar_of_kafka_with_its_hash() -> None:
    jars = read_lock(LOCK.read_text())
    assert len(jars) == 45
    assert all(len(jar.sha256) == 64 for jar in jars)
    assert "kafka_2.13-4.4.0.jar" in [jar.file_name for jar in jars]


def test_the_class_path_has_one_order_whatever_the_lock_says() -> None:
    lines = ["a" * 64 + " g:zebra:1", "# a comment", "", "b" * 64 + " g:ant:2"]
    assert [jar.file_name for jar in read_lock("\n".join(lines))] == ["ant-2.jar", "zebra-1.jar"]


def test_a_file_that_is_not_the_locked_one_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.jar"
    file.write_bytes(b"content")
    verify(file, Jar(hashlib.sha256(b"content").hexdigest(), "g", "a", "1"))
    with pytest.raises(OSError, match="the lock says"):
        verify(file, Jar("0" * 64, "g", "a", "1"))


def test_jars_that_are_there_are_not_fetched_again(tmp_path: Path) -> None:
    lock = tmp_path / "some.lock"
    lock.write_text("0" * 64 + " g:a:1\n")
    (tmp_path / "a-1.jar").write_bytes(b"")
    said: list[str] = []
    assert fetch(said.append, tmp_path, lock) == [tmp_path / "a-1.jar"]
    assert said == []


def test_all_clones_on_a_machine_share_one_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "tern"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "tern"
