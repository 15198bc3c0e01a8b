"""Keeps the services' logs out of hundreds of worlds."""

from __future__ import annotations

import logging

import structlog


def silence() -> None:
    """Only what ends a process is told."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
