"""Kafka and PostgreSQL in containers, from images that the Docker engine has. Never waits for a registry."""

from __future__ import annotations

import io
import os
import secrets
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import docker
from docker.errors import DockerException
from testcontainers.core.config import ConnectionMode, testcontainers_config
from testcontainers.core.container import DockerContainer

from support.waiting import eventually
from tern_local.kafka import answers as kafka_answers
from tern_local.postgres import answers as postgres_answers

KAFKA_IMAGE = os.environ.get("TERN_KAFKA_IMAGE", "apache/kafka:4.3.1")
POSTGRES_IMAGE = os.environ.get("TERN_POSTGRES_IMAGE", "postgres:18")
_PROBE_S = 2
_STARTING_LIMIT_S = 90
# The port that the host sees is known only once the container runs, and Kafka must be told before it starts.
_KAFKA_START = """\
while [ ! -f /tmp/advertised ]; do sleep 0.1; done
export KAFKA_ADVERTISED_LISTENERS=$(cat /tmp/advertised)
exec /etc/kafka/docker/run
"""
_KAFKA_SETTINGS = {
    "KAFKA_NODE_ID": "1",
    "KAFKA_PROCESS_ROLES": "broker,controller",
    "KAFKA_LISTENERS": "HOST://:9092,CONTROLLER://:9093",
    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "HOST:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "KAFKA_INTER_BROKER_LISTENER_NAME": "HOST",
    "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
    "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "4",
    "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
    "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
}


def available() -> bool:
    """Whether an engine answers at once and both images are on it."""
    try:
        engine = docker.from_env(timeout=_PROBE_S)
    except DockerException:
        return False
    try:
        for image in (KAFKA_IMAGE, POSTGRES_IMAGE):
            engine.images.get(image)
    except (DockerException, OSError):
        return False
    finally:
        engine.close()
    return True


@asynccontextmanager
async def running() -> AsyncIterator[tuple[str, str]]:
    """Kafka's bootstrap address and PostgreSQL's URL, for as long as both run."""
    testcontainers_config.ryuk_disabled = True  # it is an image more, to be fetched from a registry
    testcontainers_config.connection_mode_override = ConnectionMode.docker_host
    password = secrets.token_hex(16)
    postgres = (
        DockerContainer(POSTGRES_IMAGE)
        .with_env("POSTGRES_PASSWORD", password)
        .with_command("postgres -c fsync=off -c full_page_writes=off -c max_connections=200")
        .with_exposed_ports(5432)
    )
    kafka = DockerContainer(KAFKA_IMAGE).with_command(["sh", "-c", _KAFKA_START]).with_exposed_ports(9092)
    for name, value in _KAFKA_SETTINGS.items():
        kafka = kafka.with_env(name, value)
    with postgres, kafka:
        kafka_port, postgres_port = kafka.get_exposed_port(9092), postgres.get_exposed_port(5432)
        advertised = f"HOST://127.0.0.1:{kafka_port}"
        kafka.get_wrapped_container().put_archive("/tmp", _archive("advertised", advertised))
        await eventually(lambda: postgres_answers(postgres_port), _STARTING_LIMIT_S, "PostgreSQL answers")
        await eventually(lambda: kafka_answers(kafka_port), _STARTING_LIMIT_S, "Kafka answers")
        yield f"127.0.0.1:{kafka_port}", f"postgresql://postgres:{password}@127.0.0.1:{postgres_port}/postgres"


def _archive(name: str, text: str) -> bytes:
    content = text.encode()
    member = tarfile.TarInfo(name)
    member.size = len(content)
    member.mode = 0o644
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()
