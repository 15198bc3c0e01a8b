"""Fixtures of the unit tests of tern_common."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from io import StringIO

import pytest
import structlog

from tern_common.logs import configure_logs


@pytest.fixture
def never() -> Callable[[], Awaitable[None]]:
    """Something that does not return."""

    async def wait() -> None:
        await asyncio.Event().wait()

    return wait


@pytest.fixture
def logged() -> Iterator[StringIO]:
    """What the process logs, as a service would: JSON lines."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    stream = StringIO()
    configure_logs("test", "info", stream)
    yield stream
    structlog.reset_defaults()
    root.handlers = handlers
    root.setLevel(level)
