"""Logs: one JSON object a line, ids and types, never what a library quotes."""

from __future__ import annotations

import json
import logging
from io import StringIO
from typing import Any

import structlog

from tern_common.errors import Transient
from tern_common.logs import logger

PERSONAL = "ann@example.com"


def lines(logged: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in logged.getvalue().splitlines()]


def failing() -> None:
    raise ValueError(PERSONAL)


def test_a_line_begins_with_when_how_grave_and_what(logged: StringIO) -> None:
    logger.info("batch applied", records=3)
    [line] = lines(logged)
    assert list(line)[:3] == ["at", "level", "message"]
    assert line.items() >= {"level": "info", "message": "batch applied", "service": "test", "records": 3}.items()


def test_below_the_level_nothing_is_said(logged: StringIO) -> None:
    logger.debug("details")
    assert logged.getvalue() == ""


def test_an_error_is_told_by_type_and_place_without_its_words(logged: StringIO) -> None:
    try:
        failing()
    except ValueError as wrong:
        logger.error("failed", exc_info=wrong)
        logger.error("failed", exc_info=True)
    for line in lines(logged):
        assert line["error"]["type"] == "ValueError"
        assert line["error"]["where"][-1].endswith(" failing")
        assert "text" not in line["error"]
    assert PERSONAL not in logged.getvalue()


def test_terns_own_words_are_shown_with_what_caused_them(logged: StringIO) -> None:
    cause = KeyError(PERSONAL)
    error = Transient("the broker is away")
    error.__cause__ = cause
    logger.error("failed", exc_info=error)
    [line] = lines(logged)
    assert line["error"]["text"] == "the broker is away"
    assert line["error"]["causes"][0]["type"] == "KeyError"
    assert PERSONAL not in logged.getvalue()


def test_every_member_of_a_group_is_told_and_no_chain_is_endless(logged: StringIO) -> None:
    error: Exception = ValueError()
    for _ in range(50):
        wrapped = ValueError()
        wrapped.__context__ = error
        error = wrapped
    logger.error("failed", exc_info=ExceptionGroup("two", [error, Transient("away")]))
    [line] = lines(logged)
    assert [cause["type"] for cause in line["error"]["causes"]] == ["ValueError", "Transient"]
    assert logged.getvalue().count('"type"') < 12


def test_libraries_speak_the_same_way_and_less(logged: StringIO) -> None:
    library = logging.getLogger("some.library")
    library.info("chatter")
    try:
        failing()
    except ValueError:
        library.exception("it broke")
    [line] = lines(logged)
    assert (line["message"], line["logger"], line["error"]["type"]) == ("it broke", "some.library", "ValueError")
    assert PERSONAL not in logged.getvalue()


def test_ids_can_be_bound_for_a_while(logged: StringIO) -> None:
    with structlog.contextvars.bound_contextvars(batch=7):
        logger.warning("slow")
    assert lines(logged)[0]["batch"] == 7


def test_asking_for_an_error_where_there_is_none_does_not_harm(logged: StringIO) -> None:
    logger.error("odd", exc_info=True)
    assert "error" not in lines(logged)[0]
