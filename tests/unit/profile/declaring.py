"""Declarations as operators write them, and what they come to for a customer, for tests."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tern_common.events import Computed, Event, PublicProfile
from tern_profile.domain.policy import Policy
from tern_profile.domain.record import Known, next_change, public_record
from tern_profile.domain.standing import Standing
from unit.profile.saying import POLICY, heard, subject_of


def declaring(computed: dict[str, Any], classes: dict[str, Any] | None = None, **numbers: int) -> Policy:
    """The shipped policy with these."""
    return Policy.model_validate(POLICY.model_dump() | {"computed": computed, "classes": classes or {}} | numbers)


def known(policy: Policy, *said: Event, passed: datetime | None = None) -> Known:
    found = heard(*said, policy=policy)
    standing = found.standing or Standing()
    return Known("c", found.first_at, found.last_at, standing=standing, rhythm=found.rhythm, passed=passed)


def record(policy: Policy, *said: Event, passed: datetime | None = None) -> PublicProfile:
    """The public record. `passed`: up to where absence is certain."""
    return public_record(known(policy, *said, passed=passed), {}, subject_of, policy.declared)


def computed(
    declared: dict[str, Any], *said: Event, passed: datetime | None = None, kept: int = 200
) -> Computed | None:
    """The one trait that is declared."""
    policy = declaring({"it": declared}, contributions=kept)
    return record(policy, *said, passed=passed).computed.get("it")


def since(condition: dict[str, Any], *said: Event, passed: datetime | None = None, **declared: Any) -> datetime | None:
    """Since when the one class holds that is declared; None: it does not. `declared`: computed traits, and `kept`."""
    kept = declared.pop("kept", 200)
    policy = declaring(declared, {"it": condition}, contributions=kept)
    return record(policy, *said, passed=passed).classes.get("it")


def turns_at(policy: Policy, *said: Event, passed: datetime | None = None) -> datetime | None:
    """When the record may change although nothing happens."""
    return next_change(known(policy, *said, passed=passed), policy.declared)
