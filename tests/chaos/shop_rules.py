"""Rules and numbers that are played: seconds instead of hours, and no check that makes customers compete."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import yaml

from tern_common.policy import load_policy
from tern_common.shipped import shipped
from tern_triggers.catalogue import load_rules
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rules import Rule

GRACE = timedelta(seconds=2)
LONGEST = timedelta(seconds=13)
"""No step of any rule is due later than this after the last event that it follows from."""


def _steps(act: str, *after: int) -> list[dict[str, str]]:
    return [{"after": f"{seconds}s", "act": act, "expires_after": "2h"} for seconds in after]


def _quiet(name: str, family: str, steps: list[dict[str, str]], **more: object) -> dict[str, object]:
    said = {"rule": name, "kind": "inactivity", "family": family, "purpose": "marketing", "max_hold": "7s"}
    return {**said, **more, "steps": steps}


_RULES: tuple[dict[str, object], ...] = (
    _quiet("chaos_cart", "cart", _steps("contact", 4, 7), fold="cart", key="cart_id", channels=["email"]),
    _quiet("chaos_checkout", "cart", _steps("task", 3), fold="checkout", key="cart_id"),
    _quiet("chaos_browse", "browse", _steps("task", 5), fold="browse"),
    _quiet("chaos_recall", "recall", _steps("task", 4, 6), fold="orders", history="ignore"),
    _quiet("chaos_first", "lifecycle", _steps("task", 5), fold="first_order", key="order_id"),
    _quiet(
        "chaos_inquiry",
        "service",
        _steps("task", 3, 6),
        key="ticket_id",
        start={"event": "Inquiry Opened", "own": True},
        reset={"event": "Inquiry Answered", "own": True},
        exit={"event": "Inquiry Closed", "own": True},
    ),
    {
        "rule": "chaos_rating",
        "kind": "event",
        "family": "service",
        "purpose": "service",
        "key": "ticket_id",
        "of": {"event": "Rating Given", "own": True, "where": {"path": "score", "at_most": 6}},
        "exit": {"event": "Rating Settled", "own": True},
        "steps": _steps("task", 0, 4),
    },
)

_TRIGGERS = {
    "version": 1,
    "grace": "2s",
    "slot": "1s",
    "settle": "1s",
    "overdue": "5s",
    "outbox": {"lease": "5s", "recheck_after": "3s"},
    "arbiter": {"caps": [], "own_cap": None},
}
_IDENTITY = {"holdoff": "3s"}


def write(folder: Path) -> None:
    """Writes the rules and the policies into the folder. The rules that ship are paused: their hours never come."""
    rules = folder / "rules"
    rules.mkdir(parents=True)
    for rule in _RULES:
        (rules / f"{rule['rule']}.yaml").write_text(yaml.safe_dump(rule))
    for path in shipped("tern_triggers", "rules").glob("*.yaml"):
        (rules / path.name).write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"mode": "paused"}))
    (folder / "triggers.yaml").write_text(yaml.safe_dump(_TRIGGERS))
    ours = yaml.safe_load(shipped("tern_identity", "policy.yaml").read_text()) | _IDENTITY
    (folder / "identity.yaml").write_text(yaml.safe_dump(ours))


def environment(folder: Path, failpoints: Path, workers: int) -> Mapping[str, Mapping[str, str]]:
    """What each service is told beyond what every local one is. `workers`: of each of those behind ingest."""
    trouble = {"TERN_FAILPOINTS": str(failpoints)}
    crews = {f"TERN_{service}_WORKERS": str(workers) for service in ("IDENTITY", "PROFILE", "TRIGGERS")}
    claims = {"TERN_PROGRESS_INTERVAL_MS": "200"}
    return {
        "ingest": trouble,
        "identity": {**trouble, **crews, **claims, "TERN_POLICY_FILE": str(folder / "identity.yaml")},
        "profile": {**trouble, **crews, **claims},
        "triggers": {
            **trouble,
            **crews,
            "TERN_RULES_DIR": str(folder / "rules"),
            "TERN_POLICY_FILE": str(folder / "triggers.yaml"),
        },
    }


def rules_of(folder: Path) -> list[Rule]:
    """Those that decide."""
    return [rule for rule in load_rules(folder / "rules") if rule.mode == "live"]


def policy_of(folder: Path) -> Policy:
    """The numbers of triggers."""
    return load_policy(folder / "triggers.yaml", Policy)
