"""Prometheus: the metrics that every service has, and how they are rendered. Labels are closed sets, never values."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

from tern_common.board import Sheet
from tern_common.clock import Clock

CONTENT_TYPE = CONTENT_TYPE_LATEST

HTTP_REQUESTS = Counter(
    "tern_http_requests", "Requests answered, by route template, method and status.", ["route", "method", "status"]
)
HTTP_SECONDS = Histogram(
    "tern_http_request_duration_seconds",
    "Seconds from the request's head to the end of its answer.",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
HTTP_IN_FLIGHT = Gauge("tern_http_requests_in_flight", "Requests being answered.")
LOOP_RETRIES = Counter("tern_loop_retries", "Times a background loop met a transient error and began again.", ["loop"])


_BETWEEN_WRITES_S = 1.0


class _Here:
    """Of this process."""

    sheet: Sheet | None = None


def share(sheet: Sheet) -> None:
    """From now on this process is one of several whose metrics are added up."""
    _Here.sheet = sheet


def render() -> bytes:
    """All metrics of the process in Prometheus' text format; of all its like, if it shares them."""
    return _Here.sheet.render() if _Here.sheet else generate_latest()


async def keep_posted(clock: Clock) -> None:
    """Tells the others once a second what this process has counted, for ever. Only for those who share."""
    assert _Here.sheet is not None
    while True:
        _Here.sheet.write()
        await clock.sleep(_BETWEEN_WRITES_S)
