"""A marketing system in small: takes triggers, sends what is still due, and reports what it did. Python.

    KAFKA=127.0.0.1:9092 TRIGGERS=http://127.0.0.1:8004 TOKEN=tt_... python examples/marketing.py inbox.sqlite

The token needs the role `pii:read`. What is remembered stands in the file; a second run goes on where the first ended.
"""

import asyncio
import json
import os
import sqlite3
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord
from cloudevents.core.bindings.kafka import KafkaMessage, from_structured_event
from cloudevents.core.formats.json import JSONFormat

FIRED = "tern.trigger.fired.v1"
TOPICS = [
    f"tern.triggers.{family}.v1"
    for family in ("cart", "browse", "recall", "lifecycle", "product", "service", "loyalty")
]
TABLES = """
CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS job (trigger_id TEXT PRIMARY KEY, data TEXT, status TEXT, channel TEXT DEFAULT '');
"""
FINAL = {200, 202, 404, 422}  # whatever else comes back may be better the next time


class Inbox:
    """What must survive a restart: the ids that were seen, and what is to be done and to be reported."""

    def __init__(self, path: str) -> None:
        self.db = sqlite3.connect(path)
        self.db.executescript(TABLES)

    def take(self, record: ConsumerRecord) -> None:
        """One transaction a record, so that a crash forgets nothing and does nothing twice."""
        headers = {name: value for name, value in record.headers if name == "content-type"}
        event = from_structured_event(KafkaMessage(headers, record.key, record.value), JSONFormat())
        data: Any = event.get_data()
        with self.db:
            if self.db.execute("INSERT OR IGNORE INTO seen VALUES (?)", [event.get_id()]).rowcount == 0:
                return  # at least once: an id that was seen is nothing new
            if event.get_type() == FIRED:
                job = [data["trigger_id"], json.dumps(data)]
                self.db.execute("INSERT INTO job (trigger_id, data, status) VALUES (?, ?, 'queued')", job)
            else:  # retracted or cancelled: whatever is still queued is not sent
                gone = [data["trigger_id"]]
                dropped = self.db.execute("DELETE FROM job WHERE trigger_id = ? AND status = 'queued'", gone).rowcount
                print("dropped" if dropped else "too late to drop", data["trigger_id"], data["reason"], flush=True)

    def send(self) -> None:
        """Sends what has not expired, by the best channel that has an address."""
        for trigger_id, text in self.db.execute("SELECT trigger_id, data FROM job WHERE status = 'queued'").fetchall():
            data = json.loads(text)
            status, channel = "skipped", ""
            if datetime.fromisoformat(data["timing"]["expires_at"]) > datetime.now(UTC):
                status, channel = deliver(data)
            with self.db:
                done = [status, channel, trigger_id]
                self.db.execute("UPDATE job SET status = ?, channel = ? WHERE trigger_id = ?", done)
            print(status, trigger_id, flush=True)

    async def report(self, tern: httpx.AsyncClient) -> None:
        """Says what became of each trigger: `skipped` and `failed` leave room for another contact."""
        waiting = self.db.execute("SELECT trigger_id, status, channel FROM job WHERE status <> 'queued'").fetchall()
        for trigger_id, status, channel in waiting:
            said = {"trigger_id": trigger_id, "status": status, "channel": channel}
            try:
                answer = await tern.post("/v1/outcomes", json=said)
            except httpx.TransportError:
                return
            if answer.status_code in FINAL:
                with self.db:
                    self.db.execute("DELETE FROM job WHERE trigger_id = ?", [trigger_id])


def deliver(data: Mapping[str, Any]) -> tuple[str, str]:
    """Here a real system talks to its providers. Give them the trigger's id as idempotency key."""
    if data["act"] != "contact":
        print("to do:", data["act"], data["rule"], "by", data.get("due_by", "-"), flush=True)
        return "done", ""
    for channel in data["channels"]:  # ranked, best first; only channels with consent stand here
        if "contact" in channel:
            print("sending", data["rule"], "with link ?tern=" + data["attribution"], flush=True)
            return "sent", channel["channel"]
    return "skipped", ""


async def main(path: str) -> None:
    inbox = Inbox(path)
    consumer = AIOKafkaConsumer(
        *TOPICS,
        bootstrap_servers=os.environ["KAFKA"],
        group_id=os.environ.get("GROUP", "marketing"),
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    bearer = {"Authorization": "Bearer " + os.environ["TOKEN"]}
    async with consumer, httpx.AsyncClient(base_url=os.environ["TRIGGERS"], headers=bearer) as tern:
        while True:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:  # of one customer all come in order
                    inbox.take(record)
            await consumer.commit()  # only what the inbox remembers is committed
            inbox.send()
            await inbox.report(tern)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
