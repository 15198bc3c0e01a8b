"""Structured logs: one JSON object a line on standard output, from Tern and from the libraries alike.

Messages are constants, facts are fields, personal data is in neither. An exception is told by its type and by where it
was raised; its text is only shown for Tern's own errors, since a library's text may quote what it choked on.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from structlog.typing import FilteringBoundLogger, Processor

from tern_common.errors import TernError

_FRAMES = 12
_DEEPEST_CAUSE = 4
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

logger: FilteringBoundLogger = structlog.get_logger()


def configure_logs(service: str, level: str = "info", stream: TextIO | None = None) -> None:
    """Once a process, before anything is logged. `level` is debug, info, warning or error."""
    out = stream or sys.stdout
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _stamp(service),
        _describe_error,
    ]
    render = structlog.processors.JSONRenderer(ensure_ascii=False)
    structlog.configure(
        processors=[*shared, _ordered, render],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(out),  # a line in one piece: several processes write to one stream
        cache_logger_on_first_use=False,
    )
    _route_libraries(shared, render, out, _LEVELS[level])


def _route_libraries(shared: list[Processor], render: Processor, out: TextIO, level: int) -> None:
    """Sends the standard library's records the same way; what libraries say below `warning` is noise."""
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _ordered,
                render,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level, logging.WARNING))


def _stamp(service: str) -> Processor:
    def add(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    return add


def _ordered(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """What people look for first comes first."""
    head = {"at": event.pop("at"), "level": event.pop("level"), "message": event.pop("event")}
    return {**head, **event}


def _describe_error(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Turns `exc_info` into `error`: types, Tern's own words, and the places passed through."""
    info = event.pop("exc_info", None)
    if isinstance(info, BaseException):
        event["error"] = describe(info)
    elif isinstance(info, tuple) and isinstance(info[1], BaseException):
        event["error"] = describe(info[1])
    elif info and (current := sys.exc_info()[1]):
        event["error"] = describe(current)
    return event


def describe(error: BaseException, depth: int = 0) -> dict[str, Any]:
    """An exception without what a library may have quoted in it. Shape: {type, text?, where, causes?}."""
    told: dict[str, Any] = {"type": type(error).__name__}
    if isinstance(error, TernError):
        told["text"] = str(error)
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    told["where"] = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
    causes = _causes(error)
    if causes and depth < _DEEPEST_CAUSE:
        told["causes"] = [describe(cause, depth + 1) for cause in causes]
    return told


def _causes(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return list(error.exceptions)
    if error.__cause__:
        return [error.__cause__]
    return [error.__context__] if error.__context__ and not error.__suppress_context__ else []
