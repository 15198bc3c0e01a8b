"""What somebody who watches events come in is shown of each: when, where from, what, who, and whether it was taken.

Of a rejected one its bytes tell what they can. Knows no topic, and not who watches.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from tern_common.identifiers import masked
from tern_common.identifiers.showing import shown_id
from tern_ingest.domain.calls import MALFORMED
from tern_ingest.domain.decisions import TYPES
from tern_ingest.domain.letters import Letter
from tern_ingest.domain.tallies import kept_name

LONGEST_LOOKED_INTO = 256 * 1024
"""Bytes of a rejected event; what is longer says nothing but why it was rejected."""
_LONGEST_SHOWN = 200
_HIDDEN = "***"

Shown = dict[str, object]


class Head(msgspec.Struct, frozen=True):
    """What is read of an event on its topic."""

    message_id: str
    type: str
    event_time: str
    received_at: str
    source_id: str
    name: str | None = None
    user_id: str | None = None
    anonymous_id: str | None = None
    unsigned_user_id: str | None = None
    mode: str = "live"
    trusted: bool = False
    bot: bool = False
    test: bool = False


_DECODER = msgspec.json.Decoder(Head)
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Watched(NamedTuple):
    """Which events are shown: those of which all that is named is true. `user`: a user id or an anonymous one.
    `hide`: personal data is masked. `names`: source id → name."""

    source_id: str | None
    event: str | None
    user: str | None
    hide: bool
    names: Mapping[str, str]

    def accepted(self, value: bytes) -> Shown | None:
        """An event on its topic; None for one that is not asked for."""
        try:
            event = _DECODER.decode(value)
        except MALFORMED:
            return None
        who = event.user_id or event.unsigned_user_id
        if not self._wants(event.source_id, event.name or event.type, (who, event.anonymous_id)):
            return None
        return {
            "kind": "accepted",
            "at": event.received_at,
            **self._of_source(event.source_id),
            "type": event.type,
            "name": self._name(event.name),
            "user_id": self._who(who),
            "anonymous_id": self._who(event.anonymous_id),
            "message_id": shown_id(event.message_id, hide=self.hide),
            "event_time": event.event_time,
            "flags": list(_flags(event)),
        }

    def rejected(self, letter: Letter) -> Shown | None:
        """An event that was rejected, here or by a service behind; None for one that is not asked for."""
        said = _peeked(letter.value)
        kind, name = said.get("type"), said.get("event") or said.get("name")
        user = said.get("userId") or said.get("user_id")
        anonymous = said.get("anonymousId") or said.get("anonymous_id")
        source_id = letter.source or said.get("source_id")
        if not self._wants(source_id, name or kind, (user, anonymous)):
            return None
        return {
            "kind": "rejected",
            "at": letter.rejected_at,
            **self._of_source(source_id),
            "type": kind if kind is None or kind in TYPES or not self.hide else _HIDDEN,
            "name": self._name(name),
            "user_id": self._who(user),
            "anonymous_id": self._who(anonymous),
            "message_id": shown_id(said.get("messageId") or said.get("message_id"), hide=self.hide),
            "reason": letter.reason,
            "service": letter.service,
            "place": letter.place,
            "bytes": len(letter.value),
        }

    def _wants(self, source_id: str | None, name: str | None, who: tuple[str | None, ...]) -> bool:
        if self.source_id not in (None, source_id) or (self.user is not None and self.user not in who):
            return False
        return self.event is None or (name is not None and name.casefold() == self.event.casefold())

    def _of_source(self, source_id: str | None) -> Shown:
        return {"source_id": source_id, "source": self.names.get(source_id or "", source_id)}

    def _name(self, name: str | None) -> str | None:
        """The shop's own words; but pages are named by titles, in which somebody may stand."""
        if name is None or not self.hide:
            return name and name[:_LONGEST_SHOWN]
        return name if kept_name(name) == name.strip() else _HIDDEN

    def _who(self, said: str | None) -> str | None:
        return masked(said) if said and self.hide else said and said[:_LONGEST_SHOWN]


def _flags(event: Head) -> list[str]:
    """What makes an event count differently from others."""
    said = {
        "bot": event.bot,
        "test": event.test,
        "replayed": event.mode == "replay",
        "unsigned-login": event.unsigned_user_id is not None,
        "untrusted": not event.trusted,
    }
    return [name for name, is_so in said.items() if is_so]


def _peeked(value: bytes) -> Mapping[str, str]:
    """The texts and numbers among an object's members; nothing of what is none."""
    if len(value) > LONGEST_LOOKED_INTO:
        return {}
    try:
        members = _MEMBERS.decode(value)
        return {name: text for name, raw in members.items() if (text := _text(msgspec.json.decode(raw))) is not None}
    except MALFORMED:
        return {}


def _text(said: Any) -> str | None:
    if isinstance(said, str):
        return said
    return str(said) if isinstance(said, int | float) and not isinstance(said, bool) else None
