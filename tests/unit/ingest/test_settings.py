"""What operators say to ingest alone."""

from __future__ import annotations

import pytest

from tern_common.errors import Misconfigured
from tern_common.settings import read_settings
from tern_ingest.settings import IngestSettings


@pytest.fixture(autouse=True)
def _needed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("DATABASE_URL", "postgresql://x"), ("KAFKA_BOOTSTRAP", "x:1"), ("SEALING_KEYS", "k:x")):
        monkeypatch.setenv(f"TERN_{name}", value)


def test_no_proxy_is_trusted_until_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings(IngestSettings).trusted_proxies == ""
    monkeypatch.setenv("TERN_TRUSTED_PROXIES", "10.0.0.0/8, fd00::/8")
    assert read_settings(IngestSettings).trusted_proxies == "10.0.0.0/8, fd00::/8"


@pytest.mark.parametrize("wrong", ["nginx", "10.0.0.1/8", "10.0.0.0/8 fd00::/8"])
def test_it_does_not_start_with_proxies_that_are_no_networks(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("TERN_TRUSTED_PROXIES", wrong)
    with pytest.raises(Misconfigured, match="TERN_TRUSTED_PROXIES"):
        read_settings(IngestSettings)
