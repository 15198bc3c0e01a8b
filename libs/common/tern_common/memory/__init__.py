"""A message bus inside one process: it keeps the promises of `bus.py` without a broker.

Several buses may share one `MemoryBroker`, as processes share a Kafka. It refuses to know what is in a record.
"""

from tern_common.memory.broker import MemoryBroker
from tern_common.memory.bus import MemoryBus

__all__ = ["MemoryBroker", "MemoryBus"]
