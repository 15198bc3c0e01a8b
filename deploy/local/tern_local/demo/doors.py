"""What the demo asks the platform, through the doors that everybody has."""

from __future__ import annotations

from typing import Any

import httpx

from tern_local.demo.venue import Venue


class Doors:
    """The APIs of profile and triggers, with the platform's token."""

    def __init__(self, venue: Venue, http: httpx.AsyncClient) -> None:
        self._services = venue.services
        self._headers = {"Authorization": f"Bearer {venue.api_token}"}
        self._http = http

    async def customer_id(self, user_id: str) -> str:
        """Whom the platform takes this user for."""
        profile = await self._get(f"{self._services['profile']}/v1/profiles/by/user_id/{user_id}")
        return str(profile["customer_id"])

    async def decisions(self, customer_id: str) -> list[dict[str, Any]]:
        """Everything that was decided about a customer, and everything that ended undecided."""
        answer = await self._get(f"{self._services['triggers']}/v1/decisions?customer_id={customer_id}")
        return list(answer["decisions"])

    async def _get(self, url: str) -> dict[str, Any]:
        answer = await self._http.get(url, headers=self._headers, timeout=10)
        return dict(answer.raise_for_status().json())
