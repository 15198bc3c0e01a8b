"""HTTP as every service speaks it: one application factory, one way to say no, the same doors everywhere."""

from tern_common.http.app import create_app
from tern_common.http.customers import customers_router
from tern_common.http.doors import Standing, claimed_clock_router, clock_router, policy_router
from tern_common.http.probes import Probes
from tern_common.http.problems import CODE_AND_MESSAGE, PROBLEM, ErrorStyle

__all__ = [
    "CODE_AND_MESSAGE",
    "PROBLEM",
    "ErrorStyle",
    "Probes",
    "Standing",
    "claimed_clock_router",
    "clock_router",
    "create_app",
    "customers_router",
    "policy_router",
]
