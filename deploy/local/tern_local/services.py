"""The four services as child processes: their environment, and whether they are ready. Knows no more of them."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping

import httpx

from tern_local.children import Program
from tern_local.folder import HOST

NAMES = ("ingest", "identity", "profile", "triggers")


class Service:
    """One service. It keeps its port, so that its address survives a restart."""

    def __init__(self, name: str, port: int, environment: Mapping[str, str], http: httpx.AsyncClient) -> None:
        self.name = name
        self._port = port
        self._environment = environment
        self._http = http

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self._port}"

    def program(self) -> Program:
        """`python -m tern_<name>`. When its supervisor is killed it is killed too: what it was doing is done again."""
        own = {"TERN_HTTP_HOST": HOST, "TERN_HTTP_PORT": str(self._port)}
        return Program(
            self.name,
            (sys.executable, "-m", f"tern_{self.name}"),
            orphaned=signal.SIGKILL,
            environment={**self._environment, **own},
        )

    async def is_ready(self) -> bool:
        """What `/ready` says."""
        try:
            answer = await self._http.get(f"{self.address}/ready", timeout=3)
        except httpx.TransportError:
            return False
        return answer.status_code == httpx.codes.OK
