"""Fixtures of ingest's unit tests."""

from __future__ import annotations

import pytest

from unit.ingest.door import FrontDoor


@pytest.fixture
def door() -> FrontDoor:
    return FrontDoor()
