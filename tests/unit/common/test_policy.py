"""Policies: validated when the process starts, with words that say what to change; and finding what a package ships."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pydantic import Field

from tern_common.errors import Misconfigured
from tern_common.policy import Policy, load_policy
from tern_common.shipped import shipped, shipped_or_none


class Numbers(Policy):
    grace_s: int = Field(ge=0)


def written(folder: Path, text: str) -> Path:
    file = folder / "policy.yaml"
    file.write_text(text)
    return file


def test_a_policy_is_read_as_its_model(tmp_path: Path) -> None:
    assert load_policy(written(tmp_path, "version: 2\ngrace_s: 300\n"), Numbers) == Numbers(version=2, grace_s=300)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version: 1\ngrace_s: -1", "grace_s: Input should be greater"),
        ("grace_s: 1", "version: Field required"),
        ("version: 1\ngrace_s: 1\ngrave_s: 2", "grave_s: Extra inputs are not permitted"),
        ("version: 1\ngrace_s: 1\ngrace_s: 2", "a key stands twice"),
        ("- 1", "the file: Input should be a valid dictionary"),
        ("", "the file: "),
        ("a: [", "is not YAML"),
        ("? [a]\n: 1", "is not YAML"),
        ("a: !!python/object/apply:os.getpid []", "is not YAML"),
    ],
)
def test_a_policy_that_is_wrong_says_where(tmp_path: Path, text: str, said: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(Misconfigured) as told:
        load_policy(file, Numbers)
    assert str(told.value).startswith(f"{file}: ")
    assert said in str(told.value)


def test_a_policy_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="No such file"):
        load_policy(tmp_path / "none.yaml", Numbers)
    file = written(tmp_path, "")
    file.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(Misconfigured, match="is not YAML"):
        load_policy(file, Numbers)


def test_what_a_package_ships_is_found_in_it_or_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "tern_made_up"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert shipped_or_none("tern_made_up", "policy.yaml") is None
    with pytest.raises(Misconfigured, match=r"tern_made_up ships no policy\.yaml"):
        shipped("tern_made_up", "policy.yaml")
    (tmp_path / "policy.yaml").touch()
    assert shipped("tern_made_up", "policy.yaml") == tmp_path / "policy.yaml"
    (package / "policy.yaml").touch()
    assert shipped("tern_made_up", "policy.yaml") == package / "policy.yaml"
    assert shipped_or_none("tern_not_there", "policy.yaml") is None
    assert "tern_made_up" not in sys.modules
