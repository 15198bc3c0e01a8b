"""The floor of the pure domain: every branch. (The floor of the rest is coverage's own `fail_under`.)"""

from __future__ import annotations

import io
from collections.abc import Generator

import pytest
from coverage.exceptions import NoDataError

_DOMAIN = ("*/tern_*/domain/*", "*/tern_*/domain.py")


class DomainFloor:
    """A pytest plugin; says nothing when coverage is not measured."""

    def __init__(self) -> None:
        self._missing = ""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """After the coverage plugin has summed up: one more failure when a domain's branch was never taken."""
        result = yield
        if hasattr(session.config, "workerinput"):  # one of several processes: it has seen a part of it
            return result
        controller = getattr(session.config.pluginmanager.getplugin("_cov"), "cov_controller", None)
        if controller is not None:
            report = io.StringIO()
            try:
                total = controller.cov.report(include=_DOMAIN, skip_covered=True, file=report)
            except NoDataError:
                return result
            if total < 100:
                self._missing = report.getvalue()
                session.testsfailed += 1
        return result

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """What is missing, before pytest's last line."""
        if self._missing:
            terminalreporter.write_sep("=", "the domain is not covered to the last branch", red=True)
            terminalreporter.write(self._missing)
