"""History over a real socket to a real broker, with `tern import` and without, through a kill -9 in the middle."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections import Counter
from pathlib import Path

from integration.ingest.conftest import Ingest
from integration.ingest.test_process import running
from support.waiting import eventually
from tern_cli.__main__ import main
from tern_cli.platform import Session
from tern_common.bus import Record
from tern_common.events import decode_event
from tern_common.partitioning import partition_of
from tern_common.topics import BY_NAME, EVENTS, EVENTS_BACKFILL, REJECTED

COUNT = 20_000


def line(n: int) -> bytes:
    said = {"type": "track", "event": "Order Completed", "userId": f"u{n % 500}", "timestamp": "2019-03-01T12:00:00Z"}
    return json.dumps({**said, "properties": {"order_id": f"o-{n}"}}).encode() + b"\n"


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


def ids(records: list[Record]) -> Counter[str]:
    return Counter(record.header("message-id") or "" for record in records)


async def test_an_import_goes_on_by_itself_through_kill_9_and_a_second_run_changes_nothing(
    ingest: Ingest, database: str, kafka_bootstrap: str, tmp_path: Path
) -> None:
    source_id = await ingest.new_source()
    _, key = await ingest.new_key(source_id)
    file, points, port = tmp_path / "history.ndjson", tmp_path / "points", free_port()
    file.write_bytes(b"".join(line(n) for n in range(COUNT)) + b'{"type": "dance"}\n')
    points.mkdir()
    (points / "ingest.acknowledged").write_text("17")
    environment = {"TERN_INGEST_URL": f"http://127.0.0.1:{port}", "TERN_WRITE_KEY": key}
    settings = {"TERN_HTTP_PORT": port, "TERN_FAILPOINTS": str(points), "TERN_DEPLOYMENT": "development"}

    def bring() -> int:
        return main(["import", str(file), "--patience", "60"], Session(environment=environment, folder=tmp_path))

    async with running(database, kafka_bootstrap, **settings) as first:
        await eventually(first.port, 20, "it listens")
        bringing = asyncio.ensure_future(asyncio.to_thread(bring))
        dead = asyncio.ensure_future(first.child.wait())
        await asyncio.wait((dead, bringing), timeout=60, return_when=asyncio.FIRST_COMPLETED)
        assert not bringing.done()
        assert await dead == -9
    async with running(database, kafka_bootstrap, **settings):
        assert await bringing == 1
        found = await ingest.records(EVENTS_BACKFILL, source_id)
        assert await asyncio.to_thread(bring) == 1
    once, twice = ids(found), ids(await ingest.records(EVENTS_BACKFILL, source_id))
    assert len(once) == COUNT
    assert once.keys() == twice.keys()
    assert await ingest.records(EVENTS, source_id) == []
    assert {record.header("place") for record in await ingest.records(REJECTED, source_id)} == {
        f"/v1/import:{COUNT + 1}"
    }
    assert {decode_event(record.value).mode for record in found} == {"backfill"}
    partitions = BY_NAME[EVENTS_BACKFILL].partitions
    assert all(record.partition == partition_of(record.key, partitions) for record in found)


async def test_progress_can_be_read_while_lines_are_still_sent(
    ingest: Ingest, database: str, kafka_bootstrap: str
) -> None:
    source_id = await ingest.new_source()
    _, key = await ingest.new_key(source_id)
    head = (
        "POST /v1/import HTTP/1.1\r\nHost: ingest\r\nTransfer-Encoding: chunked\r\n"
        f"Authorization: Basic {base64.b64encode(f'{key}:'.encode()).decode()}\r\n\r\n"
    )
    piece = b"".join(line(n) for n in range(500))
    async with running(database, kafka_bootstrap) as process:
        port = await eventually(process.port, 20, "it listens")
        reader, writer = await asyncio.open_connection("127.0.0.1", int(str(port)))
        writer.write(head.encode())
        told = asyncio.ensure_future(reader.readuntil(b'"line"'))

        async def more() -> bool:
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
            return told.done()

        await eventually(more, 20, "a record of progress comes before the end")
        assert b"200 OK" in told.result()
        writer.write(b"0\r\n\r\n")
        rest = await reader.readuntil(b"0\r\n\r\n")
        assert b'"done": true' in rest
        writer.close()
    assert len(ids(await ingest.records(EVENTS_BACKFILL, source_id))) == 500
