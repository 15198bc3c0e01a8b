"""An operator at identity's API: asks why, and gives controls."""

from __future__ import annotations

import httpx

from support.shop import Json, Shop
from support.world.remedies import Step
from support.world.truth import Pair
from tern_common.identifiers import Identifier


class Operator:
    """Counts what it did, by kind of control."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self.acts: list[str] = []

    async def why(self, pair: Pair) -> list[Step]:
        """The path of facts from the one to the other, each with the event that said it. Both must be one customer."""
        a, b = ({"namespace": one.namespace, "value": one.value} for one in pair)
        told = await self._post("/v1/explain/pair", {"a": a, "b": b})
        assert told["one"]
        assert told["path"]
        assert len(told["sentences"]) == len(told["path"])
        return [_step(step) for step in told["path"]]

    async def does(self, control: Json) -> frozenset[str]:
        """Gives the control. What follows from it is done when it is answered: returns the customers it took from."""
        done = await self._post("/v1/controls", control)
        self.acts.append(str(control["kind"]))
        return frozenset(turn["from"] for turn in done["customers"])

    async def _post(self, path: str, body: Json) -> Json:
        bearer = {"authorization": f"Bearer {self._shop.door('api_token')}"}
        answer = await self._shop.http.post(f"{self._shop.door('identity')}{path}", json=body, headers=bearer)
        assert answer.status_code in (httpx.codes.OK, httpx.codes.CREATED), f"{path} {body}: {answer.text}"
        told: Json = answer.json()
        return told


def _step(told: Json) -> Step:
    a, b = (Identifier(told[end]["namespace"], told[end]["value"]) for end in ("a", "b"))
    return Step(a, b, str(told["event_id"]), told["merge_id"])
