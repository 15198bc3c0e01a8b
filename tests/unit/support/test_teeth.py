"""What is marked as a test of tests is not traced, in whatever process it runs."""

from __future__ import annotations

import sys

import pytest


@pytest.mark.teeth
def test_what_is_marked_runs_at_its_own_speed() -> None:
    assert sys.gettrace() is None
