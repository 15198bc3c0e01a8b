"""Prints every trigger of Tern: python examples/subscriber.py 127.0.0.1:9092"""

import asyncio
import json
import sys

from aiokafka import AIOKafkaConsumer


async def main(bootstrap: str) -> None:
    seen = set()  # at least once: a real system remembers ids in its database
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.subscribe(pattern=r"tern\.triggers\..*")
        async for record in consumer:
            trigger = json.loads(record.value)
            if trigger["id"] not in seen:
                seen.add(trigger["id"])
                print(trigger["type"], trigger["data"]["rule"], trigger["subject"], flush=True)


asyncio.run(main(sys.argv[1]))
