"""Settings: from the environment, named when wrong, never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tern_common.errors import Misconfigured
from tern_common.settings import PipelineSettings, ServiceSettings, Workers, crew, read_settings

GOOD = {"TERN_DATABASE_URL": "postgresql://secret@db/tern", "TERN_KAFKA_BOOTSTRAP": "broker:9092"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ServiceSettings.model_fields.keys() | PipelineSettings.model_fields.keys():
        monkeypatch.delenv(f"TERN_{name.upper()}", raising=False)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_addresses_and_secrets_have_to_be_given(environment: pytest.MonkeyPatch) -> None:
    settings = read_settings(ServiceSettings)
    assert settings.database_url.get_secret_value() == GOOD["TERN_DATABASE_URL"]
    assert "secret" not in repr(settings)
    environment.delenv("TERN_DATABASE_URL")
    environment.delenv("TERN_KAFKA_BOOTSTRAP")
    with pytest.raises(Misconfigured, match=r"TERN_DATABASE_URL: is not set; TERN_KAFKA_BOOTSTRAP: is not set"):
        read_settings(ServiceSettings)


def test_a_key_has_no_default_and_is_not_shown_when_it_is_wrong(environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(Misconfigured, match="TERN_HASH_KEY: is not set"):
        read_settings(PipelineSettings)
    environment.setenv("TERN_HASH_KEY", "too-short")
    with pytest.raises(Misconfigured, match="TERN_HASH_KEY") as told:
        read_settings(PipelineSettings)
    assert "too-short" not in str(told.value)


def test_a_virtual_clock_is_never_for_production(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TERN_CLOCK_FILE", "/somewhere/clock")
    with pytest.raises(Misconfigured, match="TERN_DEPLOYMENT=development"):
        read_settings(ServiceSettings)
    environment.setenv("TERN_DEPLOYMENT", "development")
    assert read_settings(ServiceSettings).clock_file == Path("/somewhere/clock")


class Several(ServiceSettings):
    shop_workers: Workers = 1


def test_a_service_says_in_how_many_processes_it_runs(environment: pytest.MonkeyPatch) -> None:
    assert crew(read_settings(ServiceSettings)) == crew(read_settings(Several)) == (1, ("127.0.0.1", 8080))
    environment.setenv("TERN_SHOP_WORKERS", "2")
    assert crew(read_settings(Several)) == (2, ("127.0.0.1", 8080))


def test_several_processes_need_a_port_that_they_can_share(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TERN_HTTP_PORT", "0")
    assert crew(read_settings(Several))[0] == 1
    environment.setenv("TERN_SHOP_WORKERS", "2")
    with pytest.raises(Misconfigured, match="TERN_SHOP_WORKERS: several need a TERN_HTTP_PORT other than 0"):
        read_settings(Several)


def test_a_service_has_room_for_settings_of_its_own() -> None:
    assert len(PipelineSettings.model_fields) <= 12
    assert all(field.description for field in PipelineSettings.model_fields.values())
