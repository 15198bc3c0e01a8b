"""JSON Schemas of everything that others read from Tern or write to it, derived from the wire models.

Objects are open: what a later release adds must disturb nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from inspect import cleandoc
from typing import Any, Literal, NamedTuple

import msgspec

from tern_common.events import Merged, PublicProfile, Split, Violation
from tern_common.topics import FAMILIES, IDENTITY, OUTCOMES, PROFILES, STOCK, triggers_topic
from tern_triggers.domain.contract.payload import CONTENT_TYPE, FIRED, REVOKED, CloudEvent, Fired, Revoked
from tern_triggers.domain.endings import Revocation
from tern_triggers.domain.reports import HoldAnswered, HoldReleased, HoldRequested, OutcomeReported

DIALECT = "https://json-schema.org/draft/2020-12/schema"
JSON = "application/json"

Schema = dict[str, Any]


class Published(NamedTuple):
    """A message of the contract. `direction`: who writes it, Tern (`send`) or its subscribers (`receive`)."""

    name: str
    model: Any
    topics: tuple[str, ...]
    says: str
    direction: Literal["send", "receive"] = "send"
    content_type: str = JSON


_TRIGGERS = tuple(triggers_topic(family) for family in FAMILIES)

MESSAGES: tuple[Published, ...] = (
    Published(
        FIRED,
        CloudEvent[Fired],
        _TRIGGERS,
        "Act on this: at most once for each id, and not after data.timing.expires_at.",
        content_type=CONTENT_TYPE,
    ),
    Published(
        REVOKED[Revocation.RETRACTED],
        CloudEvent[Revoked],
        _TRIGGERS,
        "The reason of data.trigger_id had already gone when it fired: drop it, or make good.",
        content_type=CONTENT_TYPE,
    ),
    Published(
        REVOKED[Revocation.CANCELLED],
        CloudEvent[Revoked],
        _TRIGGERS,
        "The reason of data.trigger_id is gone now: drop what is still queued.",
        content_type=CONTENT_TYPE,
    ),
    Published("tern.profile.v1", PublicProfile, (PROFILES,), "What is known of a customer, whenever it changes."),
    Published("tern.identity.merged.v1", Merged, (IDENTITY,), "Two customers turned out to be one."),
    Published("tern.identity.split.v1", Split, (IDENTITY,), "A part of a customer turned out to be another."),
    Published("tern.identity.violation.v1", Violation, (IDENTITY,), "A guard refused to join what was said to be one."),
    Published("tern.outcome.v1", OutcomeReported, (OUTCOMES,), "What became of a trigger.", "receive"),
    Published("tern.stock.hold.requested.v1", HoldRequested, (STOCK,), "Hold the stock of a cart, please."),
    Published("tern.stock.hold.answered.v1", HoldAnswered, (STOCK,), "Whether the stock is held.", "receive"),
    Published("tern.stock.hold.released.v1", HoldReleased, (STOCK,), "The stock need not be held any longer."),
)


def schema_of(message: Published) -> Schema:
    """The JSON Schema of a message's value, complete in itself."""
    found, parts = _derived(message, "#/$defs/{name}")
    return {"$schema": DIALECT, "$id": f"urn:tern:schema:{message.name}", **found, "$defs": parts}


def components(template: str) -> dict[str, Schema]:
    """The parts of all messages, and each message's own schema under its name. `template`: how `$ref`s read."""
    collected: dict[str, Schema] = {}
    for message in MESSAGES:
        found, parts = _derived(message, template)
        collected |= {**parts, message.name: found}
    return dict(sorted(collected.items()))


def _derived(message: Published, template: str) -> tuple[Schema, dict[str, Schema]]:
    """The message's own schema, and the parts that it refers to."""
    (top,), parts = msgspec.json.schema_components([message.model], ref_template=template)
    tidied = {name: _tidied(part) for name, part in parts.items()}
    own = tidied.pop(next(name for name in tidied if template.format(name=name) == top["$ref"]))
    own["title"] = message.name
    if message.content_type == CONTENT_TYPE:
        own["properties"]["type"] = {"enum": [message.name]}
        own["required"] = [*own["required"], "specversion", "datacontenttype"]
    return own, tidied


def _tidied(found: Any) -> Any:
    """Amounts travel as JSON numbers; descriptions are paragraphs, not docstrings."""
    if isinstance(found, list | tuple):
        return [_tidied(one) for one in found]
    if not isinstance(found, Mapping):
        return found
    if found.get("format") == "decimal":
        return {"type": "number"}
    tidied = {name: _tidied(one) for name, one in found.items()}
    if isinstance(tidied.get("description"), str):
        tidied["description"] = cleandoc(tidied["description"])
    return tidied
