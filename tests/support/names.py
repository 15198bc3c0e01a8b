"""Names that no other test uses, on a broker or database that all of them share."""

from __future__ import annotations

import secrets


def unique(prefix: str) -> str:
    """The prefix with a random end; fit for a topic, a consumer group or a database."""
    return f"{prefix}_{secrets.token_hex(5)}"
