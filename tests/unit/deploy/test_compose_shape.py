"""What holds for every container of the platform, read from the compose file itself: no engine is needed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from deploy.env_example import BY_OVERRIDE, compose, referenced
from docs.generate import SERVICES, settings_of

from tern_common.settings import PREFIX

ROOT = Path(__file__).parents[3]
COMPOSE = compose()
EVERY: dict[str, dict[str, Any]] = COMPOSE["services"]
BUILT = {name: service for name, service in EVERY.items() if "build" in service}
JOBS = sorted(set(BUILT) - set(SERVICES))
SECRET = re.compile(r"(PASSWORD|SECRET|TOKEN|HASH_KEY|SEALING_KEYS?)$")
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()

every_container = pytest.mark.parametrize("name", sorted(EVERY))
every_service = pytest.mark.parametrize("name", SERVICES)


@every_container
def test_no_container_is_root_or_may_become_root(name: str) -> None:
    container = EVERY[name]
    user = _user_of_image() if name in BUILT else str(container["user"])
    assert user.split(":")[0] not in ("", "0", "root")
    assert container["cap_drop"] == ["ALL"]
    assert "cap_add" not in container
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert not container.get("privileged", False)


def _user_of_image() -> str:
    *_, last = re.findall(r"^USER (\S+)$", DOCKERFILE.rpartition("\nFROM ")[2], re.MULTILINE)
    return str(last)


@every_container
def test_every_file_system_is_read_only_but_for_what_is_named(name: str) -> None:
    container = EVERY[name]
    assert container["read_only"] is True
    assert any(mount.split(":")[0] == "/tmp" for mount in container["tmpfs"])
    for volume in container.get("volumes", ()):
        assert volume.split(":")[0] in COMPOSE["volumes"] or volume.endswith(":ro")


@every_container
def test_no_container_can_take_all_memory_or_fill_the_disk_with_logs(name: str) -> None:
    assert re.fullmatch(r"\d+[mg]", EVERY[name]["mem_limit"])
    assert set(EVERY[name]["logging"]["options"]) == {"max-size", "max-file"}


@every_container
def test_what_runs_is_watched_and_comes_back_and_what_runs_once_does_not(name: str) -> None:
    container = EVERY[name]
    if name in JOBS:
        assert container["restart"] == "no"
        return
    assert container["restart"] == "unless-stopped"
    assert container["healthcheck"]["test"][0] == "CMD"
    assert _seconds(container["healthcheck"]["interval"]) >= 5
    assert _seconds(container["stop_grace_period"]) >= 10


def _seconds(text: str) -> int:
    number, unit = int(text[:-1]), text[-1]
    return number * {"s": 1, "m": 60}[unit]


@every_container
def test_ports_are_for_this_machine_only(name: str) -> None:
    assert all(str(port).startswith("127.0.0.1:") for port in EVERY[name].get("ports", ()))


@every_container
def test_foreign_images_stand_there_by_name_and_version(name: str) -> None:
    if name in BUILT:
        assert EVERY[name]["image"] == f"tern-{BUILT[name]['build']['args']['SERVICE']}:local"
    else:
        assert re.fullmatch(r"[a-z/]+:\d+(\.\d+)*", EVERY[name]["image"])


@pytest.mark.parametrize("name", sorted(BUILT))
def test_every_image_of_ours_is_a_part_of_the_repository(name: str) -> None:
    member = BUILT[name]["build"]["args"]["SERVICE"]
    assert (ROOT / ("libs" if member == "cli" else "services") / member / "pyproject.toml").is_file()


@every_service
def test_a_service_starts_when_the_database_the_topics_and_both_engines_are_ready(name: str) -> None:
    waits = {other: needed["condition"] for other, needed in EVERY[name]["depends_on"].items()}
    assert waits == {
        "migrate": "service_completed_successfully",
        "topics": "service_completed_successfully",
        "postgres": "service_healthy",
        "kafka": "service_healthy",
    }


@every_container
def test_an_engine_of_ones_own_can_take_the_place_of_ours(name: str) -> None:
    for other, needed in EVERY[name].get("depends_on", {}).items():
        assert needed.get("required", True) is ("profiles" not in EVERY[other])


@every_container
def test_no_secret_has_a_value_or_a_default(name: str) -> None:
    for variable, value in EVERY[name].get("environment", {}).items():
        if SECRET.search(variable) and value is not None:
            assert re.fullmatch(r"\$\{[A-Z_]+:\?[^}]+\}", str(value)), variable
    for text in _strings(EVERY[name]):
        assert not re.search(r"://[^/]*:(?!\$\{[A-Z_]+:\?)[^/]*@", text), "a literal password stands in a URL"


@every_container
def test_compose_refuses_to_start_without_a_secret_and_says_what_to_do(name: str) -> None:
    for text in _strings(EVERY[name]):
        for variable, rest in re.findall(r"\$\{([A-Z_]+)([^}]*)\}", text):
            if SECRET.search(variable):
                assert rest.startswith(":?run `make up`"), variable


def _strings(node: object) -> list[str]:
    if isinstance(node, dict):
        return [text for value in node.values() for text in _strings(value)]
    if isinstance(node, list):
        return [text for value in node for text in _strings(value)]
    return [node] if isinstance(node, str) else []


@every_service
def test_every_variable_of_a_service_is_one_of_its_settings_and_every_setting_can_be_reached(name: str) -> None:
    fields = {(PREFIX + field).upper() for field in settings_of(name).model_fields}
    given = set(EVERY[name]["environment"])
    assert given - fields == set()
    assert fields - given == {(PREFIX + field).upper() for field in BY_OVERRIDE}


@every_service
def test_a_service_has_at_most_fifteen_settings(name: str) -> None:
    assert len(settings_of(name).model_fields) <= 15


@every_service
def test_the_platform_runs_as_production(name: str) -> None:
    assert EVERY[name]["environment"]["TERN_DEPLOYMENT"] == "production"


def test_kafka_keeps_its_log_on_a_volume_and_knows_its_voters() -> None:
    environment = EVERY["kafka"]["environment"]
    assert any(volume.endswith(":" + environment["KAFKA_LOG_DIRS"]) for volume in EVERY["kafka"]["volumes"])
    assert environment["KAFKA_CONTROLLER_QUORUM_VOTERS"] == "1@kafka:9093"
    assert environment["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_postgres_keeps_its_data_where_version_18_does() -> None:
    assert EVERY["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]


def test_the_recipe_needs_no_frontend_from_afar_and_installs_what_is_locked() -> None:
    assert "syntax=" not in DOCKERFILE
    assert DOCKERFILE.count("--require-hashes --no-deps ") == 2
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"python:3.12-slim"}


def test_only_known_variables_are_read_from_the_environment() -> None:
    assert all(variable.startswith("TERN_") for variable in referenced(COMPOSE))


@every_service
def test_what_a_service_ships_beside_its_code_is_in_its_wheel(name: str) -> None:
    member = ROOT / "services" / name
    wheel = tomllib.loads((member / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    beside = {path.name for path in member.iterdir() if path.name == "migrations" or path.suffix == ".yaml"}
    assert wheel["force-include"] == {kind: f"tern_{name}/{kind}" for kind in beside}


def test_the_demo_changes_the_time_and_nothing_else_about_a_service() -> None:
    changed = yaml.safe_load((ROOT / "deploy" / "compose.demo.yml").read_text())["services"]
    assert set(changed) == {*SERVICES, "keys"}
    for name in SERVICES:
        assert set(changed[name]) == {"environment", "volumes"}
        assert set(changed[name]["environment"]) == {"TERN_DEPLOYMENT", "TERN_CLOCK_FILE"}
        assert all(volume.endswith(":ro") for volume in changed[name]["volumes"])


def test_keys_of_the_demo_are_only_made_when_asked_for() -> None:
    keys = yaml.safe_load((ROOT / "deploy" / "compose.demo.yml").read_text())["services"]["keys"]
    assert keys["profiles"] == ["demo"]
    assert keys["extends"] == {"file": "compose.yml", "service": "tern"}
