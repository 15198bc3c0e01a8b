"""On one machine every shipped rule treats everybody, and is otherwise as it ships."""

from __future__ import annotations

from pathlib import Path

from tern_local.rules import write_rules
from tern_triggers.catalogue import load_rules


def test_the_rules_of_the_local_platform_differ_by_their_hold_out_alone(tmp_path: Path) -> None:
    shipped = load_rules()
    assert any(rule.holdout for rule in shipped)
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "old.yaml").write_text("gone")
    local = load_rules(write_rules(tmp_path / "rules"))
    assert local == [rule.model_copy(update={"holdout": 0.0}) for rule in shipped]
