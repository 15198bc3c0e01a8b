"""Several processes behind one port: forked by a supervisor that passes signals on and replaces whoever dies.

A worker listens for itself once it can answer (SO_REUSEPORT): the kernel deals connections out among those that do.
It ends when its supervisor does. Its metrics stand on a board, so that each answers `/metrics` for all.
Knows nothing of what workers do.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

from tern_common import metrics
from tern_common.board import Board, Sheet
from tern_common.clock import Clock, SystemClock
from tern_common.errors import Misconfigured
from tern_common.logs import logger

_STOP = (signal.SIGTERM, signal.SIGINT)
_WATCHED = (*_STOP, signal.SIGCHLD)
_MISCONFIGURED = 78  # EX_CONFIG: starting again would not help
_KILL_AFTER_S = 9.8  # a worker that cannot stop by itself has ended itself a moment before
_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _STEADY_S = 0.1, 5.0, 30.0
_LONGEST_WAIT_S = 60.0
_MOST_SIGNALS = 4096

Work = Callable[[], None]


class _Here:
    """Of this process."""

    is_worker = False


def share_a_port() -> bool:
    """Whether this process is one of several that listen at one port."""
    return _Here.is_worker


def supervise(count: int, address: tuple[str, int], work: Work) -> int:
    """Runs `work` in so many processes until a signal. Returns the exit status: 0 when all ended as they were told.

    `address` is where the workers will listen. Raises `Misconfigured` when somebody else does.
    """
    _check_free(*address)
    with _wakes() as wake:
        return _Crew(count, work, wake, SystemClock()).run()


def _check_free(host: str, port: int) -> None:
    """Two services that both share their port would not notice each other: each would get half of the connections."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as wrong:
        raise Misconfigured(f"cannot listen on {host}:{port}: {wrong.strerror or wrong}") from None


@contextmanager
def _wakes() -> Iterator[int]:
    """A pipe that brings the numbers of the signals that arrive."""
    wake, woken = os.pipe()
    for end in (wake, woken):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    before = {number: signal.signal(number, _noted) for number in _WATCHED}
    try:
        yield wake
    finally:
        signal.set_wakeup_fd(-1)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(wake)
        os.close(woken)


def _noted(_number: int, _frame: FrameType | None) -> None:
    """The pipe says it."""


@dataclass
class _Post:
    """A worker's place. `pid` is 0 while nobody has it; then the next one starts at `due`."""

    pid: int = 0
    since: float = 0.0
    due: float = 0.0
    pause_s: float = _FIRST_PAUSE_S


class _Crew:
    """The workers, seen by their supervisor."""

    def __init__(self, count: int, work: Work, wake: int, clock: Clock) -> None:
        self._posts = [_Post() for _ in range(count)]
        self._board = Board(count)
        self._work = work
        self._wake = wake
        self._clock = clock
        self._lifeline = os.pipe()
        self._stopping = False
        self._kill_at = float("inf")
        self._status = 0

    def run(self) -> int:
        while not self._stopping or any(post.pid for post in self._posts):
            self._start_due()
            self._heed(self._signals())
            self._bury()
            if self._clock.monotonic() > self._kill_at:
                self._tell_all(signal.SIGKILL)
        return self._status

    def _start_due(self) -> None:
        now = self._clock.monotonic()
        for place, post in enumerate(self._posts):
            if not post.pid and not self._stopping and post.due <= now:
                post.pid, post.since = self._fork(place), now

    def _fork(self, place: int) -> int:
        """The new worker's process id. No signal finds it halfway between its supervisor's ways and its own."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
        pid = os.fork()
        if pid == 0:
            _begin(self._lifeline, Sheet(self._board, place), self._work)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
        logger.info("worker started", place=place, pid=pid)
        return pid

    def _signals(self) -> bytes:
        """The numbers of those that have arrived; waits for one until there is something else to do."""
        now = self._clock.monotonic()
        dues = [post.due for post in self._posts if not post.pid and not self._stopping]
        until = min([*dues, self._kill_at, now + _LONGEST_WAIT_S])
        ready, _, _ = select.select([self._wake], [], [], max(0.0, until - now))
        return os.read(self._wake, _MOST_SIGNALS) if ready else b""

    def _heed(self, arrived: bytes) -> None:
        for number in _STOP:
            if number in arrived:
                self._stop(number)

    def _stop(self, number: int) -> None:
        if not self._stopping:
            self._stopping = True
            self._kill_at = self._clock.monotonic() + _KILL_AFTER_S
        self._tell_all(number)

    def _tell_all(self, number: int) -> None:
        for post in self._posts:
            if post.pid:
                os.kill(post.pid, number)

    def _bury(self) -> None:
        for place, post in enumerate(self._posts):
            if post.pid:
                ended, status = os.waitpid(post.pid, os.WNOHANG)
                if ended:
                    self._ended(place, post, os.waitstatus_to_exitcode(status))

    def _ended(self, place: int, post: _Post, code: int) -> None:
        post.pid = 0
        if self._stopping:
            self._status = self._status or int(code != 0)
            return
        if code == _MISCONFIGURED:
            self._status = 1
            self._stop(signal.SIGTERM)
            return
        now = self._clock.monotonic()
        steady = now - post.since > _STEADY_S
        post.pause_s = _FIRST_PAUSE_S if steady else min(post.pause_s * 2, _LONGEST_PAUSE_S)
        post.due = now + post.pause_s
        logger.warning("worker ended", place=place, code=code, pause_s=post.pause_s)


def _begin(lifeline: tuple[int, int], sheet: Sheet, work: Work) -> NoReturn:
    """A worker's life, from the fork to its end."""
    code = 1
    try:
        _become_worker(lifeline, sheet)
        work()
        code = 0
    except BaseException as wrong:  # noqa: BLE001 - nothing of the supervisor's may run here
        code = _MISCONFIGURED if _asks_for_a_person(wrong) else 1
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        os._exit(code)


def _asks_for_a_person(wrong: BaseException) -> bool:
    """Starting again would not help. What a loop raises comes in a group."""
    if isinstance(wrong, BaseExceptionGroup):
        return any(map(_asks_for_a_person, wrong.exceptions))
    return isinstance(wrong, Misconfigured)


def _become_worker(lifeline: tuple[int, int], sheet: Sheet) -> None:
    signal.set_wakeup_fd(-1)
    for number in _WATCHED:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
    held, other = lifeline
    os.close(other)
    threading.Thread(target=_die_with, args=(held,), daemon=True).start()
    _Here.is_worker = True
    metrics.share(sheet)


def _die_with(lifeline: int) -> None:
    """The supervisor holds the other end of this pipe, and never writes."""
    os.read(lifeline, 1)
    os.kill(os.getpid(), signal.SIGKILL)
