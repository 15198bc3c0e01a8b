"""Tests that coverage would learn nothing from: they run over and over what other tests run once.

Traced, they would take twice their time or more. Those that are marked `teeth` are tests of tests besides: what is
broken on purpose must be noticed.
"""

from __future__ import annotations

import sys
from collections.abc import Generator

import pytest

MARKS = {
    "teeth": "asks whether other tests would notice what is broken; untraced, and not in the fast tier",
    "untraced": "plays whole worlds, of which coverage learns nothing",
}


class Untraced:
    """A pytest plugin. (`no_cover` of pytest-cov leaves a worker of xdist traced: coverage has begun there twice.)"""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Whoever traces goes on after the test."""
        if not any(item.get_closest_marker(mark) for mark in MARKS):
            return (yield)
        tracer = sys.gettrace()
        sys.settrace(None)
        try:
            return (yield)
        finally:
            sys.settrace(tracer)
