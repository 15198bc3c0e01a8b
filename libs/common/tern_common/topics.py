"""The one table of topics. Services refuse to start when a topic is missing or shaped differently."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tern_common.errors import Misconfigured

DAY_MS = 86_400_000
REJECTED_MAX_BYTES = 9 * 1024 * 1024


@dataclass(frozen=True)
class Topic:
    """A topic's declared shape. `partitions` is a minimum; `config` holds the settings that are checked at start."""

    name: str
    partitions: int
    key: str = ""
    from_: str = ""
    to: str = ""
    config: Mapping[str, str] = field(default_factory=dict)


def _kept(days: int) -> dict[str, str]:
    return {"cleanup.policy": "delete", "retention.ms": str(days * DAY_MS)}


COMPACTED = {"cleanup.policy": "compact"}
# Claims come several times a second and are read from the start by every process: what is old must go soon.
COMPACTED_SOON = {**COMPACTED, "segment.ms": "600000", "min.cleanable.dirty.ratio": "0.1"}

EVENTS = "tern.events.v1"
REJECTED = "tern.events.rejected.v1"
RESOLVED = "tern.resolved.v1"
IDENTITY = "tern.identity.v1"
CATALOG = "tern.catalog.v1"
PROFILES = "tern.profiles.v1"
PROGRESS = "tern.progress.v1"
FAMILIES = ("cart", "browse", "recall", "lifecycle", "product", "service", "loyalty")
OUTCOMES = "tern.outcomes.v1"
STOCK = "tern.stock.v1"
EVENTS_BACKFILL = "tern.events.backfill.v1"
RESOLVED_BACKFILL = "tern.resolved.backfill.v1"


def triggers_topic(family: str) -> str:
    """The public topic of a family of rules."""
    return f"tern.triggers.{family}.v1"


TABLE: tuple[Topic, ...] = (
    Topic(EVENTS, 8, "user_id, else anonymous_id, else message_id", "ingest", "identity", _kept(30)),
    Topic(
        REJECTED,
        4,
        "source, else the topic it came from",
        "every service",
        "operators",
        {**_kept(30), "max.message.bytes": str(REJECTED_MAX_BYTES)},
    ),
    Topic(RESOLVED, 8, "customer_id", "identity", "profile, triggers", _kept(30)),
    Topic(EVENTS_BACKFILL, 8, "as its live twin", "ingest", "identity", _kept(30)),
    Topic(RESOLVED_BACKFILL, 8, "customer_id", "identity", "profile, triggers", _kept(30)),
    Topic(IDENTITY, 4, "customer_id", "identity", "anyone", _kept(30)),
    Topic(CATALOG, 4, "product_id", "identity", "triggers, anyone", _kept(7)),
    Topic(PROFILES, 8, "customer_id", "profile", "triggers, anyone", COMPACTED),
    *(Topic(triggers_topic(f), 4, "customer_id", "triggers", "marketing systems", _kept(7)) for f in FAMILIES),
    Topic(OUTCOMES, 4, "customer_id", "marketing systems", "triggers", _kept(7)),
    Topic(STOCK, 4, "cart_id", "triggers, storefront", "storefront, triggers", _kept(7)),
    Topic(
        PROGRESS,
        1,
        "service/lane; pause",
        "identity, profile, operators",
        "identity, profile, triggers",
        COMPACTED_SOON,
    ),
)
BY_NAME: Mapping[str, Topic] = {topic.name: topic for topic in TABLE}


def faults(declared: Iterable[Topic], found: Mapping[str, Topic]) -> list[str]:
    """What is wrong with the topics that exist, as sentences that say what to do. Empty when all is well."""
    return [fault for topic in declared for fault in _faults(topic, found.get(topic.name))]


def _faults(want: Topic, have: Topic | None) -> list[str]:
    if have is None:
        return [f"topic {want.name} is missing: run `tern topics create`"]
    wrong = []
    if have.partitions < want.partitions:
        wrong.append(
            f"topic {want.name} has {have.partitions} partitions, needs {want.partitions}: run `tern topics grow`"
        )
    for name, value in want.config.items():
        if have.config.get(name) != value:
            wrong.append(f"topic {want.name} has {name}={have.config.get(name)}, needs {value}: alter it")
    return wrong


def require(names: Iterable[str], found: Mapping[str, Topic]) -> None:
    """Raises `Misconfigured` naming every fault of these topics."""
    wrong = faults((BY_NAME[name] for name in names), found)
    if wrong:
        raise Misconfigured("; ".join(wrong))
