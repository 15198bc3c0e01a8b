"""deploy/.env: drawn once, kept as it is, completed after an upgrade."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest
from deploy import env_example
from deploy.env_file import SecretsLost, bring_up_to_date, fresh, lacking, names_set, secrets_of

EXAMPLE = """\
# About the example.

# Where.
TERN_KAFKA=kafka:19092
# A password.
# secret: text
TERN_ADMIN_PASSWORD=
# Keys.
# secret: sealing-key
TERN_SEALING_KEYS=

# TERN_LOG_LEVEL=info
"""


def _nothing_there() -> bool:
    return False


def _a_database() -> bool:
    return True


def test_the_example_is_up_to_date_and_explains_exactly_what_compose_reads() -> None:
    assert env_example.EXAMPLE.read_text() == env_example.render()
    assert env_example.faults(env_example.render()) == []


def test_the_example_sets_no_secret() -> None:
    empty = {secret.name for secret in secrets_of(env_example.render())}
    assert empty == {variable.name for variable in (*env_example.SECRETS, *env_example.secret_settings())}


def test_a_fresh_file_has_every_secret_and_draws_anew_each_time(tmp_path: Path) -> None:
    texts = []
    for name in ("one", "two"):
        said = bring_up_to_date(tmp_path / name, EXAMPLE, _nothing_there)
        assert str(tmp_path / name) in said
        texts.append((tmp_path / name).read_text())
    assert names_set(texts[0]) == {"TERN_KAFKA", "TERN_ADMIN_PASSWORD", "TERN_SEALING_KEYS"}
    assert not set(_values(texts[0])[1:]) & set(_values(texts[1])[1:])


def _values(env: str) -> list[str]:
    return [line.partition("=")[2] for line in env.splitlines() if line and not line.startswith("#")]


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    bring_up_to_date(path, EXAMPLE, _nothing_there)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_said_shows_no_secret(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    said = bring_up_to_date(path, EXAMPLE, _nothing_there)
    assert all(value not in said for value in _values(path.read_text()))


def test_a_password_can_stand_in_a_url_and_a_sealing_key_has_32_bytes() -> None:
    _kafka, password, sealing = _values(fresh(EXAMPLE))
    assert len(password) >= 43
    assert password.replace("-", "").replace("_", "").isalnum()
    name, _, encoded = sealing.partition(":")
    assert name == "k1"
    assert len(base64.b64decode(encoded, validate=True)) == 32


def test_a_complete_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    bring_up_to_date(path, EXAMPLE, _nothing_there)
    before = path.stat().st_mtime_ns
    assert bring_up_to_date(path, EXAMPLE, _a_database) == ""
    assert path.stat().st_mtime_ns == before


def test_an_upgrade_adds_the_new_secret_and_changes_no_line(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("# mine\nTERN_ADMIN_PASSWORD=kept\nTERN_LOG_LEVEL=debug")
    said = bring_up_to_date(path, EXAMPLE, _a_database)
    after = path.read_text()
    assert "TERN_SEALING_KEYS" in said
    assert after.startswith("# mine\nTERN_ADMIN_PASSWORD=kept\nTERN_LOG_LEVEL=debug\n")
    assert lacking(EXAMPLE, after) == []


def test_a_database_without_its_secrets_is_not_given_new_ones(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    with pytest.raises(SecretsLost, match="put that file back"):
        bring_up_to_date(path, EXAMPLE, _a_database)
    assert not path.exists()
