"""What tests ask of a running service: what it published, and a token for its doors."""

from __future__ import annotations

from tern_common.access import store as access
from tern_common.access.store import Role, StoredToken
from tern_common.auth import new_token
from tern_common.bus import Bus
from tern_common.db import Pool
from tern_common.events import PublicProfile, decode_profile
from tern_common.topics import PROFILES


async def published(bus: Bus, customer_id: str, version: int = 1) -> PublicProfile:
    """The first record of him that is of this version or newer."""
    async for record in bus.tail(PROFILES):
        if record.key.decode() == customer_id and (found := decode_profile(record.value)).profile_version >= version:
            return found
    raise AssertionError("the topic ended")


async def token(pool: Pool, role: Role) -> dict[str, str]:
    drawn = new_token()
    await access.create(pool, drawn.token_id, StoredToken(drawn.digest, role, "a test"), None)
    return {"Authorization": f"Bearer {drawn.text}"}
