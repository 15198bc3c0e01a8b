"""What the transactions of this service depend on besides what they are about."""

from __future__ import annotations

import msgspec

from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rules import Ruleset
from tern_triggers.store.rulebook import Rulebook


class Writing(msgspec.Struct, frozen=True, kw_only=True):
    """The rules, the numbers, and `source`, the CloudEvents source."""

    rulebook: Rulebook
    policy: Policy
    source: str

    @property
    def ruleset(self) -> Ruleset:
        """The rules as they were last read: good enough to decode by."""
        return self.rulebook.latest
