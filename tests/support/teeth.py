"""Tests of tests: what is broken on purpose must be noticed. Marked `teeth`, they run as fast as they can.

They run over and over what other tests run once: coverage would learn nothing from them, and take twice their time.
"""

from __future__ import annotations

import sys
from collections.abc import Generator

import pytest

MARK = "teeth"
MEANING = "asks whether other tests would notice what is broken; untraced, and not in the fast tier"


class Untraced:
    """A pytest plugin. (`no_cover` of pytest-cov leaves a worker of xdist traced: coverage has begun there twice.)"""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Whoever traces goes on after the test."""
        if item.get_closest_marker(MARK) is None:
            return (yield)
        tracer = sys.gettrace()
        sys.settrace(None)
        try:
            return (yield)
        finally:
            sys.settrace(tracer)
