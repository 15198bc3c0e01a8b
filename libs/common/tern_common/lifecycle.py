"""A process from start to stop: an HTTP server and supervised loops. The only file that starts tasks.

A loop never just ends: a transient error begins it again, anything else ends the process, and whoever started it starts
it anew. SIGTERM and SIGINT stop everything in order within ten seconds.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

import uvicorn
import uvloop
from pydantic_settings import BaseSettings
from starlette.types import ASGIApp

from tern_common import failpoints
from tern_common.arriving import Arriving, Impatience
from tern_common.clock import Clock, SystemClock
from tern_common.errors import Misconfigured, Transient
from tern_common.logs import configure_logs, logger
from tern_common.metrics import LOOP_RETRIES, keep_posted
from tern_common.settings import TroubleSettings, read_settings
from tern_common.workers import share_a_port, supervise

FINISH_REQUESTS_S = 4
STOP_DEADLINE_S = 9.5
_OBJECTS_IN_HAND = 300_000  # what the batches of 2,000 records that a service has in hand are made of
_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _CALM_AFTER_S = 0.1, 5.0, 30.0

Loop = Callable[[], Awaitable[None]]
S = TypeVar("S", bound=BaseSettings)


class LoopEnded(Exception):
    """A background loop came to an end that nobody asked for, a bug: its work would silently stay undone."""


def start(
    service: str,
    settings: type[S],
    serve: Callable[[S], Coroutine[Any, Any, None]],
    crew: Callable[[S], tuple[int, tuple[str, int]]] | None = None,
    *,
    in_hand: int = _OBJECTS_IN_HAND,
) -> None:
    """A service's `main`: logs, settings, event loop. An error ends it with code 1 and one log line that says why.

    `crew`: in how many processes it runs, and where they will all listen; else it is one. `in_hand`: of how many
    objects its work is made, at most.
    """
    configure_logs(service)
    sys.excepthook = _last_words
    read = read_settings(settings)
    configure_logs(service, getattr(read, "log_level", "info"))
    failpoints.look_in(read_settings(TroubleSettings).failpoints)
    _collect_seldom(in_hand)
    workers, address = crew(read) if crew else (1, ("", 0))
    if workers > 1:
        sys.exit(supervise(workers, address, lambda: uvloop.run(serve(read))))
    uvloop.run(serve(read))


def _collect_seldom(in_hand: int) -> None:
    """A batch makes hundreds of thousands of objects and hardly a cycle: looking for cycles took a quarter of the CPU.

    What is imported stays for good and is not looked at; the rest is looked at once more has come to be than a service
    has in hand.
    """
    gc.freeze()
    gc.set_threshold(in_hand)


async def run(
    app: ASGIApp,
    address: tuple[str, int],
    loops: Mapping[str, Loop],
    *,
    announce: Callable[[int], None] | None = None,
    stop: asyncio.Event | None = None,
    clock: Clock | None = None,
) -> None:
    """Serves at `address` (host, port) and loops, until a signal (or `stop`).

    Returns once requests are finished and the loops have ended.
    `announce` is told the bound port, which is also logged. Raises an exception group when a loop failed, and
    `Misconfigured` when the address cannot be bound.
    """
    stopping = stop or asyncio.Event()
    listener = _listen(*address)
    host, bound = address[0], int(listener.getsockname()[1])
    server = _server(app)
    impatience = Impatience(server.server_state.connections)
    loops = {**loops, "connections": partial(impatience.follow, clock or SystemClock())}
    if share_a_port():
        loops = {**loops, "metrics": partial(keep_posted, clock or SystemClock())}
    with _stop_signals(stopping):
        async with asyncio.TaskGroup() as group:
            running = [
                group.create_task(_supervise(name, loop, clock or SystemClock()), name=name)
                for name, loop in loops.items()
            ]
            await server.startup(sockets=[listener])
            running.append(group.create_task(server.main_loop(), name="http"))
            logger.info("listening", host=host, port=bound, loops=list(loops))
            if announce:
                announce(bound)
            await _until(stopping, server, listener)
            _cancel(running)
    logger.info("stopped")


async def _until(stopping: asyncio.Event, server: uvicorn.Server, listener: socket.socket) -> None:
    """Also when a loop failed, requests that are being answered are finished first; `stopping` ends endless ones."""
    try:
        await stopping.wait()
        logger.info("stopping")
    finally:
        stopping.set()
        await server.shutdown(sockets=[listener])


def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()


def _is_cancelled() -> bool:
    """Whether somebody wants the end of the task that asks."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _supervise(name: str, loop: Loop, clock: Clock) -> None:
    pause_s = _FIRST_PAUSE_S
    while True:
        begun = clock.monotonic()
        try:
            await loop()
        except Transient as wrong:
            LOOP_RETRIES.labels(name).inc()
            logger.warning("loop begins again", loop=name, why=str(wrong), pause_s=pause_s)
        except asyncio.CancelledError:
            if _is_cancelled():
                raise
            raise LoopEnded(name) from None  # by a cancellation that a library let out, and nobody else would notice
        else:
            raise LoopEnded(name)
        await clock.sleep(pause_s)
        calm = clock.monotonic() - begun > _CALM_AFTER_S
        pause_s = _FIRST_PAUSE_S if calm else min(pause_s * 2, _LONGEST_PAUSE_S)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048, reuse_port=share_a_port())
    except OSError as wrong:
        raise Misconfigured(f"cannot listen on {host}:{port}: {wrong.strerror or wrong}") from None


def _server(app: ASGIApp) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        http=Arriving,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=65,
        timeout_graceful_shutdown=FINISH_REQUESTS_S,
    )
    config.load()
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # anybody can cause its warnings, as often as he likes
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    return server


@contextmanager
def _stop_signals(stopping: asyncio.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set `stopping`, and start the alarm that ends a process which cannot stop by itself."""

    def begin() -> None:
        signal.setitimer(signal.ITIMER_REAL, STOP_DEADLINE_S)
        stopping.set()

    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, begin)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _last_words(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What ends a process is logged like everything else, so that no library's text (a URL, a row) gets out."""
    if issubclass(kind, KeyboardInterrupt):
        return
    if isinstance(error, Misconfigured):
        logger.error("cannot start", why=str(error))
        return
    logger.error("ended by an error", exc_info=error.with_traceback(trace))
