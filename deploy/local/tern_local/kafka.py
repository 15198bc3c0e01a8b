"""One Apache Kafka (KRaft, broker and controller in one process) on the loopback interface, as a child process."""

from __future__ import annotations

import asyncio
import signal
import struct
from collections.abc import Sequence
from pathlib import Path

from tern_local.children import Program
from tern_local.folder import HOST, Folder
from tern_local.java import Java

_CLUSTER_ID = "dGVybi1sb2NhbC1zdGFjaw"
# Metadata request, version 1, for no topic. It is answered with a broker only once that broker takes requests.
_METADATA_REQUEST = struct.pack(">ihhihi", 14, 3, 1, 1, -1, 0)

_LOGGING = """\
status=error
rootLogger.level=warn
rootLogger.appenderRef.console.ref=console
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{ISO8601} %p %c{1} %m%n
logger.raft.name=kafka.server.KafkaRaftServer
logger.raft.level=info
"""


def properties(home: Path, port: int, controller_port: int) -> str:
    """`server.properties`: one node, small, quick to start and to come back after a kill."""
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        # Static on purpose: both ports may change between two starts.
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "listeners": f"BROKER://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"BROKER://{HOST}:{port}",
        "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "BROKER",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": home / "logs",
        # Apart from log.dirs: else a second Kafka writes to the metadata log before it finds the lock.
        "metadata.log.dir": home / "meta",
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": 0,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "min.insync.replicas": 1,
        # The broker of a killed process is waited for that long by the next one.
        "broker.session.timeout.ms": 2000,
        "broker.heartbeat.interval.ms": 500,
        "metadata.max.idle.interval.ms": 0,
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
        "log.index.size.max.bytes": 1024 * 1024,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "background.threads": 2,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


async def answers(port: int) -> bool:
    """Whether a broker on the loopback interface takes requests."""
    try:
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                writer.write(_METADATA_REQUEST)
                answer = await reader.readexactly(12)
            finally:
                writer.close()
    except (OSError, asyncio.IncompleteReadError):
        return False
    brokers: int = struct.unpack(">i", answer[8:])[0]
    return brokers >= 1


class Kafka:
    """What the stack needs to know to prepare, start and check the broker."""

    name = "kafka"

    def __init__(self, folder: Folder, java: Java, jars: Sequence[Path], ports: tuple[int, int]) -> None:
        self._home = folder / "kafka"
        self._java = java
        self._jars = jars
        self._port, self._controller_port = ports
        self._options = java.using(java.prepared(jars))

    @property
    def address(self) -> str:
        return f"{HOST}:{self._port}"

    def train(self, prepared: Path) -> None:
        """Makes the next start write prepared classes when it ends, instead of using any."""
        self._options = self._java.making(prepared)

    def configure(self) -> None:
        """Writes the configuration; the ports may be new."""
        (self._home / "tmp").mkdir(parents=True, exist_ok=True)
        (self._home / "log4j2.properties").write_text(_LOGGING)
        (self._home / "server.properties").write_text(properties(self._home, self._port, self._controller_port))

    def first_time(self) -> Program | None:
        """The program that formats the storage, unless that was done."""
        if all((self._home / part / "meta.properties").exists() for part in ("logs", "meta")):
            return None
        arguments = ("format", "--ignore-formatted", "-t", _CLUSTER_ID, "-c", self._home / "server.properties")
        command = (*self._command(self._java.using(self._java.prepared(self._jars))), "kafka.tools.StorageTool")
        return Program("kafka-format", (*command, *arguments), orphaned=signal.SIGKILL)

    def completed(self) -> None:
        """Nothing to do once the storage is formatted: the formatter writes its mark last."""

    def program(self) -> Program:
        """The broker."""
        return Program(self.name, (*self._command(self._options), "kafka.Kafka", self._home / "server.properties"))

    async def is_ready(self) -> bool:
        """Whether it takes requests: a topic can be created from then on."""
        return await answers(self._port)

    def _command(self, options: Sequence[str]) -> list[str]:
        # Kafka's compression libraries unpack themselves into the temporary folder: /tmp may forbid execution.
        own = (f"-Djava.io.tmpdir={self._home / 'tmp'}", f"-Dlog4j2.configurationFile={self._home}/log4j2.properties")
        return self._java.command(self._jars, *own, *options)
