"""An operator of rules, through the API of a service that was started with two of them; and a database that is new to a
broker that is not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from integration.triggers.shop import NOON
from support.waiting import eventually
from tern_common.access import store as access
from tern_common.access.store import Role, StoredToken
from tern_common.auth import Tokens, new_token
from tern_common.bus import Bus
from tern_common.clock import Clock, SystemClock
from tern_common.db import Pool, transaction
from tern_common.errors import Transient
from tern_common.http import Probes, create_app
from tern_triggers.app import SUMMARY, triggers_router
from tern_triggers.consumer import BACKFILL_GROUP, BACKFILL_TOPICS, GROUP, TOPICS
from tern_triggers.store import positions
from tern_triggers.store.rule_seeds import seed
from unit.triggers.saying import RULES


@asynccontextmanager
async def operator(pool: Pool, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a token that may change rules."""
    await seed(pool, RULES, NOON)
    app = create_app(
        service="triggers",
        summary=SUMMARY,
        probes=Probes({}),
        routers=[triggers_router(pool, clock)],
        tokens=Tokens(pool, SystemClock()),
    )
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://triggers", headers=await token(pool, "admin")
    ) as client:
        yield client


async def token(pool: Pool, role: Role) -> dict[str, str]:
    made = new_token()
    await access.create(pool, made.token_id, StoredToken(made.digest, role, "ann"), None)
    return {"Authorization": f"Bearer {made.text}"}


async def put(
    api: httpx.AsyncClient, text: str, name: str = "welcome", *, as_json: bool = False, **headers: str
) -> httpx.Response:
    kind = "application/json" if as_json else "application/yaml"
    sent = {"Content-Type": kind, **{key.replace("_", "-"): value for key, value in headers.items()}}
    return await api.put(f"/v1/rules/{name}", params={"reason": "trying it"}, content=text, headers=sent)


async def to_mode(api: httpx.AsyncClient, mode: str, name: str = "welcome", **headers: str) -> httpx.Response:
    body = {"mode": mode, "reason": "it is time"}
    sent = {key.replace("_", "-"): value for key, value in headers.items()}
    return await api.post(f"/v1/rules/{name}/mode", json=body, headers=sent)


async def history(api: httpx.AsyncClient, name: str = "welcome") -> list[tuple[int, str]]:
    told = (await api.get(f"/v1/rules/{name}/audit")).json()["history"]
    return [(entry["version"], entry["act"]) for entry in reversed(told)]


async def begin_where_the_group_stands(bus: Bus, pool: Pool) -> None:
    """The broker may have served a test before this one, with a database that is gone."""
    committed: dict[str, dict[int, int]] = {}

    async def answered() -> bool:
        try:
            for group, topics_read in ((GROUP, TOPICS), (BACKFILL_GROUP, BACKFILL_TOPICS)):
                committed.update({topic: await bus.log.committed(group, topic) for topic in topics_read})
        except Transient:
            return False
        return True

    await eventually(answered, 30, "a broker that has just begun knows its groups")
    for topic, reached in committed.items():
        async with transaction(pool) as conn:
            await positions.ensure(conn, topic, reached)
