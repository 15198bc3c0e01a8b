"""What the demo asks the platform, through the doors that everybody has."""

from __future__ import annotations

from typing import Any

import httpx

from tern_local.demo.venue import Venue

_NOBODY = "0%"


class Doors:
    """The APIs of profile and triggers, with the platform's token."""

    def __init__(self, venue: Venue, http: httpx.AsyncClient) -> None:
        self._profile, self._triggers = venue.services["profile"], venue.services["triggers"]
        self._headers = {"Authorization": f"Bearer {venue.api_token}"}
        self._http = http

    async def customer_id(self, user_id: str) -> str | None:
        """Whom the platform takes this user for; nobody yet, perhaps."""
        url = f"{self._profile}/v1/profiles/by/user_id/{user_id}"
        answer = await self._http.get(url, headers=self._headers, timeout=10)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        return str(answer.raise_for_status().json()["customer_id"])

    async def decisions(self, customer_id: str) -> list[dict[str, Any]]:
        """Everything that was decided about a customer, and everything that ended undecided."""
        answer = await self._ask("GET", f"{self._triggers}/v1/decisions", params={"customer_id": customer_id})
        return list(answer["decisions"])

    async def explained(self, customer_id: str, rule: str) -> list[dict[str, Any]]:
        """Where a rule stands with a customer: for each cart, or whatever it is about, fields and sentences."""
        asked = {"customer_id": customer_id, "rule": rule}
        answer = await self._ask("GET", f"{self._triggers}/v1/decisions/explain", params=asked)
        return [thing for found in answer["rules"] for thing in found["things"]]

    async def put_rule(self, name: str, written: bytes, why: str) -> str:
        """Puts a rule in force, as its file has it; the mode that it begins in."""
        answer = await self._ask(
            "PUT",
            f"{self._triggers}/v1/rules/{name}",
            params={"reason": why},
            content=written,
            headers={"Content-Type": "application/yaml"},
        )
        return str(answer["mode"])

    async def hold_nobody_out(self) -> None:
        """Rules go on without control groups: a story that one customer in twenty is left out of cannot be told."""
        found = await self._ask("GET", f"{self._triggers}/v1/rules")
        for rule in found["rules"]:
            if rule["holdout"] != _NOBODY:
                await self._ask(
                    "PUT",
                    f"{self._triggers}/v1/rules/{rule['rule']}",
                    params={"reason": "a story is told"},
                    json={**rule, "holdout": _NOBODY},
                    headers={"If-Match": f'"{found["tags"][rule["rule"]]}"'},
                )

    async def _ask(self, method: str, url: str, **call: Any) -> dict[str, Any]:
        call["headers"] = self._headers | call.get("headers", {})
        answer = await self._http.request(method, url, timeout=10, **call)
        return dict(answer.raise_for_status().json())
