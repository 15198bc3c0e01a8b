"""The rules that a process works by: those shipped with the service, and those of a directory of the shop's own."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from tern_common.errors import Misconfigured
from tern_common.shipped import shipped
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rules import Rule
from tern_triggers.domain.rules.lint import lint


def load_rules(own: Path | None = None) -> list[Rule]:
    """All rules, by name; one of `own` replaces the shipped rule of its name.

    Raises `Misconfigured` naming the file, the line, the field and what to write.
    """
    rules = _of_folder(shipped("tern_triggers", "rules"))
    if own is not None:
        if not own.is_dir():
            raise Misconfigured(f"{own}: is not a directory of rules")
        rules |= _of_folder(own)
    return [rules[name] for name in sorted(rules)]


def _of_folder(folder: Path) -> dict[str, Rule]:
    found: dict[str, Rule] = {}
    for path in sorted(folder.glob("*.yaml")):
        rule = _load(path)
        if rule.rule in found:
            raise Misconfigured(f"{path}: rule {rule.rule} stands in another file of {folder} too")
        found[rule.rule] = rule
    return found


def _load(path: Path) -> Rule:
    try:
        found = lint(path.read_text("utf-8"))
    except OSError as wrong:
        raise Misconfigured(f"{path}: cannot be read: {wrong.strerror}") from None
    except UnicodeDecodeError:
        raise Misconfigured(f"{path}: is not UTF-8") from None
    if found.rule is None:
        raise Misconfigured("; ".join(f"{path}: {fault}" for fault in found.errors))
    return found.rule


def digest_of(rules: Sequence[Rule], policy: Policy) -> str:
    """Changes when the agenda has to be planned anew."""
    parts = [*(rule.model_dump_json() for rule in rules), policy.model_dump_json(include={"grace", "slot", "settle"})]
    return sha256("\n".join(parts).encode()).hexdigest()
