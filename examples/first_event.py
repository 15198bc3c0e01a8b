"""A shopper fills a cart, through the real Segment SDK: python examples/first_event.py .local/run.json"""

import json
import sys
from pathlib import Path

import segment.analytics as analytics

platform = json.loads(Path(sys.argv[1]).read_text())
analytics.host, analytics.write_key = platform["ingest"], platform["write_keys"]["server"]

analytics.identify("customer-1", {"email": "customer-1@shop.example", "name": "A customer"})
analytics.track("customer-1", "Consent Granted", {"channel": "email", "email": "customer-1@shop.example"})
analytics.track(
    "customer-1",
    "Cart Updated",
    {"cart_id": "cart-1", "products": [{"product_id": "mug", "name": "Mug", "price": 9.5, "quantity": 2}]},
)
analytics.flush()
print("Sent. An hour without an order, and cart_abandoned will say so on tern.triggers.cart.v1.")
