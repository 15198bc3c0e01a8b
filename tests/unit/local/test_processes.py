"""How processes are started, so that none outlives its supervisor and nothing leaks in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tern_common.errors import Misconfigured
from tern_local import guard
from tern_local.children import clean_environment
from tern_local.java import Java, find_java
from tern_local.kafka import properties


def test_a_developers_own_java_settings_do_not_reach_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH", "PGHOST", "TERN_HASH_KEY"):
        monkeypatch.setenv(name, "foreign")
    monkeypatch.setenv("LANG", "C.UTF-8")
    environment = clean_environment()
    assert "foreign" not in environment.values()
    assert environment["LANG"] == "C.UTF-8"


def test_the_guard_ends_exactly_those_that_have_not_ended() -> None:
    assert guard.left(["+10 15\n", "+11 2\n", "-10\n", "+12 9\n", "-99\n"]) == {11: 2, 12: 9}


def test_the_metadata_log_lies_apart_so_that_a_second_kafka_cannot_harm_the_first(tmp_path: Path) -> None:
    text = properties(tmp_path, 20001, 20002)
    settings = dict(line.split("=", 1) for line in text.splitlines())
    assert settings["metadata.log.dir"] != settings["log.dirs"]
    assert settings["listeners"] == "BROKER://127.0.0.1:20001,CONTROLLER://127.0.0.1:20002"
    assert settings["auto.create.topics.enable"] == "false"


@pytest.mark.parametrize(("version", "has_it"), [(17, False), (21, False), (25, True)])
def test_an_older_java_gets_no_flag_that_it_would_refuse(version: int, has_it: bool) -> None:
    command = Java(Path("java"), version, "build").command([Path("a.jar")])
    assert ("--sun-misc-unsafe-memory-access=allow" in command) is has_it


def test_prepared_classes_are_used_only_where_they_fit(tmp_path: Path) -> None:
    jar = tmp_path / "a.jar"
    jar.write_bytes(b"")
    one, other = Java(Path("java"), 25, "build 1"), Java(Path("java"), 25, "build 2")
    prepared = one.prepared([jar])
    assert prepared != other.prepared([jar])
    assert one.using(prepared) == []
    prepared.write_bytes(b"")
    assert one.using(prepared) == [f"-XX:AOTCache={prepared}"]
    assert Java(Path("java"), 17, "b").using(prepared) == [f"-XX:SharedArchiveFile={prepared}"]
    assert Java(Path("java"), 17, "b").making(prepared) == [f"-XX:ArchiveClassesAtExit={prepared}"]


def test_a_java_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERN_LOCAL_JAVA", "/nowhere/java")
    with pytest.raises(Misconfigured, match="not there"):
        find_java()
