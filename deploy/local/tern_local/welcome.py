"""What `make run` tells a person once the platform is ready."""

from __future__ import annotations

import json

from tern_local.platform import Platform

_HER_EMAIL = {"email": "customer-1@shop.example"}
_SHE = {"type": "track", "userId": "customer-1"}
_FIRST_EVENTS = {
    "batch": [
        {**_SHE, "type": "identify", "traits": _HER_EMAIL},
        {**_SHE, "event": "Consent Granted", "properties": {"channel": "email", **_HER_EMAIL}},
        {**_SHE, "event": "Product Added", "properties": {"cart_id": "cart-1", "product_id": "mug", "price": 9.5}},
    ]
}


def welcome(platform: Platform, *, virtual_clock: bool) -> str:
    """Addresses, keys, and a first event to try."""
    width = max(map(len, platform.services))
    services = "\n".join(f"  {name:{width}}  {address}/docs" for name, address in platform.services.items())
    patience = ".venv/bin/tern clock advance 2h" if virtual_clock else "(an hour and a few minutes later)"
    return f"""
Tern is ready. Ctrl-C stops it; its data stays in {platform.folder.path}.

{services}
  Kafka       {platform.kafka}
  PostgreSQL  {platform.postgres}

  write key, for servers   {platform.write_keys["server"]}
  write key, for browsers  {platform.write_keys["browser"]}
  API token                {platform.api_token}

All of this stands in {platform.run_file}. A shopper who may be mailed puts a mug into her cart, and leaves:

  curl {platform.services["ingest"]}/v1/batch -u '{platform.write_keys["server"]}:' -d '{json.dumps(_FIRST_EVENTS)}'

  curl {platform.services["profile"]}/v1/profiles/by/user_id/customer-1 -H 'Authorization: Bearer {platform.api_token}'

  {patience}

  curl {platform.services["triggers"]}/v1/decisions/summary -H 'Authorization: Bearer {platform.api_token}'
"""
