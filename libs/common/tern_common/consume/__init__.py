"""The one loop that every consumer runs (`loop`), what it does with a batch that fails (`apart`) and where nothing
passes (`standing`), and what it asks of a service (`handling`)."""

from tern_common.consume.handling import Batch, Handler, Rest
from tern_common.consume.loop import consume

__all__ = ["Batch", "Handler", "Rest", "consume"]
