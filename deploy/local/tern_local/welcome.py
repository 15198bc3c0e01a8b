"""What `make run` tells a person once the platform is ready."""

from __future__ import annotations

import json

from tern_local.platform import Platform

_FIRST_EVENT = {
    "userId": "customer-1",
    "event": "Product Added",
    "properties": {"cart_id": "cart-1", "product_id": "mug", "quantity": 1, "price": 9.5},
}


def welcome(platform: Platform, *, virtual_clock: bool) -> str:
    """Addresses, keys, and a first event to try."""
    width = max(map(len, platform.services))
    services = "\n".join(f"  {name:{width}}  {address}/docs" for name, address in platform.services.items())
    clock = "\n  clock       virtual: move it by `.venv/bin/tern clock advance 1h`" if virtual_clock else ""
    return f"""
Tern is ready. Ctrl-C stops it; its data stays in {platform.folder.path}.

{services}
  Kafka       {platform.kafka}
  PostgreSQL  {platform.postgres}{clock}

  write key, for servers   {platform.write_keys["server"]}
  write key, for browsers  {platform.write_keys["browser"]}
  API token                {platform.api_token}

All of this stands in {platform.run_file}. Try it:

  curl {platform.services["ingest"]}/v1/track -u '{platform.write_keys["server"]}:' -d '{json.dumps(_FIRST_EVENT)}'

  curl {platform.services["profile"]}/v1/profiles/by/user_id/customer-1 -H 'Authorization: Bearer {platform.api_token}'
"""
