"""What the README shows works as it stands there."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from support.shop import HOUR, Shop
from support.waiting import eventually

EXAMPLES = Path(__file__).parents[2] / "examples"


async def test_the_first_event_and_the_subscriber_of_the_readme_work_as_they_stand_there(
    shop: Shop, tmp_path: Path
) -> None:
    first = [sys.executable, str(EXAMPLES / "first_event.py"), str(shop.run_file)]
    await asyncio.to_thread(subprocess.run, first, check=True, timeout=60)
    await shop.settled()
    await shop.advance(2 * HOUR)
    customer = await shop.customer("user_id", "customer-1")
    assert customer
    printed = tmp_path / "printed"
    with printed.open("w") as output:
        subscriber = subprocess.Popen(  # noqa: ASYNC220
            [sys.executable, str(EXAMPLES / "subscriber.py"), shop.door("kafka")], stdout=output
        )
        line = f"tern.trigger.fired.v1 cart_abandoned {customer['customer_id']}"
        try:
            await eventually(lambda: line in printed.read_text(), 30, "the subscriber prints the trigger")
        finally:
            subscriber.kill()
            subscriber.wait()
