"""An operator at identity's API, who asks why."""

from __future__ import annotations

import httpx

from support.shop import Json, Shop
from support.world.remedies import Step
from support.world.truth import Pair
from tern_common.identifiers import Identifier


class Operator:
    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def why(self, pair: Pair) -> list[Step]:
        """The path of facts from the one to the other, each with the event that said it. Both must be one customer."""
        a, b = ({"namespace": one.namespace, "value": one.value} for one in pair)
        told = await self._post("/v1/explain/pair", {"a": a, "b": b})
        assert told["one"]
        assert told["path"]
        assert len(told["sentences"]) == len(told["path"])
        return [_step(step) for step in told["path"]]

    async def _post(self, path: str, body: Json) -> Json:
        bearer = {"authorization": f"Bearer {self._shop.door('api_token')}"}
        answer = await self._shop.http.post(f"{self._shop.door('identity')}{path}", json=body, headers=bearer)
        assert answer.status_code in (httpx.codes.OK, httpx.codes.CREATED), f"{path} {body}: {answer.text}"
        told: Json = answer.json()
        return told


def _step(told: Json) -> Step:
    a, b = (Identifier(told[end]["namespace"], told[end]["value"]) for end in ("a", "b"))
    return Step(a, b, str(told["event_id"]), told["merge_id"])
