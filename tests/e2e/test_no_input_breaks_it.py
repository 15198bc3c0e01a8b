"""Every route of every service, with whatever schemathesis makes of its OpenAPI document: never a 5xx."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from support.shop import Shop

EXAMPLES = settings(
    max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
FEW = settings(EXAMPLES, max_examples=5)
"""For the many paths that are one and the same route."""
# Metrics and documents take no input; the OpenAPI document names them all the same.
ADMIN = ("/v1/sources", "/v1/rejected", "/v1/keys", "/v1/policy", "/v1/clock")
SDKS = ("/v1/", "/api/s/", "/beacon/", "/sourceConfig")
ONE_OF_EACH = ("/v1/batch", "/v1/identify", "/v1/projects/{write_key}/settings", "/sourceConfig/", "/v1/import")


schemathesis.serializer.alias("application/x-ndjson", "text/plain")
ENDLESS = ("/v1/tail",)
"""Their answers end when the caller hangs up."""


@pytest.mark.parametrize("service", ["ingest", "identity", "profile", "triggers"])
def test_no_input_breaks_any_route(shop: Shop, service: str) -> None:
    schema: Any = schemathesis.openapi.from_url(f"{shop.door(service)}/openapi.json")
    operations = [one for found in schema.get_all_operations() if (one := found.ok()).path not in ENDLESS]
    assert operations
    statuses = Counter[int]()
    for operation in operations:
        examples = FEW if _is_for_sdks(service, operation.path) and operation.path not in ONE_OF_EACH else EXAMPLES
        _try_everything(operation, _credentials(shop, service, operation.path), statuses, examples)
    assert any(200 <= status < 300 for status in statuses), f"nothing got past the door: {statuses}"


def _credentials(shop: Shop, service: str, path: str) -> str:
    """An admin's, or a write key's on the tracking routes: what is refused at the door proves nothing."""
    if _is_for_sdks(service, path):
        return "Basic " + b64encode(f"{shop.door('write_keys')['server']}:".encode()).decode()
    return f"Bearer {shop.door('api_token')}"


def _is_for_sdks(service: str, path: str) -> bool:
    return service == "ingest" and path.startswith(SDKS) and not path.startswith(ADMIN)


def _try_everything(operation: Any, credentials: str, statuses: Counter[int], examples: settings) -> None:
    @examples
    @given(case=operation.as_strategy())
    def call(case: Any) -> None:
        answer = case.call(headers={"authorization": credentials}, timeout=20)
        if operation.path.startswith(SDKS):  # probes and documents answer everybody
            statuses[answer.status_code] += 1
        assert answer.status_code < 500, f"{case.method} {case.path}: {answer.status_code} {answer.text[:300]}"

    call()
