"""What the service counts."""

from __future__ import annotations

from prometheus_client import Counter

UNPUBLISHABLE = Counter("tern_profile_unpublishable", "Public records that no broker takes.", ["reason"])
