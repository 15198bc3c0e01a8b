"""The one tree of errors. The kind of an error is the decision whether to try again.

TernError
├── Transient      the same call may succeed later: broker or database away, deadlock, lost connection
├── Unusable       this input can never succeed
│   └── Poison     ... and it is a single record of a topic
├── Refused        the answer to a caller: carries its HTTP status
└── Misconfigured  an operator must change something before the process can start

Anything else is a bug: it is not caught, and the process ends. Except where it is about one of many: a record that
meets it is rejected (`blaming`), and a customer about whom it is met is put off. A loop beside the live stream of which
nothing passes stands still instead (`consume/standing.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class TernError(Exception):
    """Base of every error that Tern raises on purpose. Messages never carry personal data."""


class Transient(TernError):
    """The same call may succeed later."""


class Unusable(TernError):
    """The input can never succeed. `reason` is a constant, kebab-case word for logs, metrics and headers."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class Poison(Unusable):
    """A record that no retry can apply: it goes to the rejected topic with `reason`, and the partition moves on."""


class Flaw(NamedTuple):
    """One thing that is wrong with what a caller sent: a path of field names, why, and where its text has it."""

    where: str
    why: str
    line: int | None = None
    column: int | None = None


class Refused(TernError):
    """An answer to an HTTP caller: `status`, a stable `code`, a `message` that says what to do, and what is wrong."""

    def __init__(
        self, status: int, code: str, message: str, retry_after_s: int | None = None, flaws: Sequence[Flaw] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s
        self.flaws = flaws


class Misconfigured(TernError):
    """The process must not start: the message says what to change."""
