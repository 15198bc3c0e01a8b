"""What the process makes of its settings and its policy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tern_common.policy import load_policy
from tern_common.shipped import shipped
from tern_identity.__main__ import _holdoff_s, _interval_s
from tern_identity.domain.rules import Rules
from tern_identity.settings import IdentitySettings
from unit.identity.histories import SHIPPED


def settings(clock_file: Path | None) -> IdentitySettings:
    return IdentitySettings.model_validate(
        {
            "database_url": "postgresql://nowhere",
            "kafka_bootstrap": "nowhere:1",
            "hash_key": "a key for tests only",
            "sealing_keys": "test:AAAA",
            "deployment": "development",
            "clock_file": clock_file,
        }
    )


def test_the_shipped_policy_holds_the_numbers_of_the_design() -> None:
    rules = load_policy(shipped("tern_identity", "policy.yaml"), Rules)
    assert rules == SHIPPED
    assert rules.model_dump(mode="json")["holdoff"] == "2m"


@pytest.mark.parametrize(("clock_file", "seconds"), [(None, 120), (Path("clock"), 0)])
def test_after_an_outage_claims_wait_for_refused_clients_where_there_are_any(
    clock_file: Path | None, seconds: float
) -> None:
    assert _holdoff_s(settings(clock_file), SHIPPED) == seconds


@pytest.mark.parametrize(
    ("clock_file", "lane", "seconds"),
    [(None, "live", 0.5), (None, "backfill", 2), (Path("clock"), "live", 0.5), (Path("clock"), "backfill", 0.5)],
)
def test_history_is_claimed_seldom_unless_somebody_who_moves_the_clock_waits_for_it(
    clock_file: Path | None, lane: str, seconds: float
) -> None:
    assert _interval_s(settings(clock_file), lane) == seconds
