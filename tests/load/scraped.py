"""What a service says of itself: whether it is ready, and its counters, read as any monitoring would."""

from __future__ import annotations

import httpx


async def counter(address: str, name: str) -> float | None:
    """The sum over all labels; None where there is no such counter, or nobody answers."""
    try:
        async with httpx.AsyncClient(trust_env=False) as http:
            text = (await http.get(f"{address}/metrics", timeout=3)).text
    except httpx.TransportError:
        return None
    found = [float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
    return sum(found) if found else None


async def is_ready(address: str) -> bool:
    """What `/ready` says."""
    try:
        async with httpx.AsyncClient(trust_env=False) as http:
            return (await http.get(f"{address}/ready", timeout=3)).is_success
    except httpx.TransportError:
        return False
