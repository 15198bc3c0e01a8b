"""Prometheus: the metrics that every service has, and how they are rendered. Labels are closed sets, never values."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

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


def render() -> bytes:
    """All metrics of the process in Prometheus' text format."""
    return generate_latest()
