"""The bus on Apache Kafka. Only this package imports aiokafka. It knows bytes, topics and groups, no meaning."""

from tern_common.kafka.bus import KafkaBus, kafka_bus
from tern_common.kafka.connection import KafkaSecurity

__all__ = ["KafkaBus", "KafkaSecurity", "kafka_bus"]
