"""What a user token vouches for on an event, and what an unsigned login is worth (identity.md §0, ADR 13).

Depends on nothing but the event and its source's keys and rule. Knows no HTTP, and reads no token by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from tern_common.events import Event
from tern_common.identifiers import contacts_of, identifiers_of, normalise
from tern_ingest.domain.tokens import Refusal, SignedUser, Signer, verify

Outcome = Literal["valid", "other-user"] | Refusal
"""Of an event's token. `other-user`: the event states a user id, and the token was signed for another."""

_LOGINS = frozenset({"user_id", "wechat_unionid"})
_EXTERNAL, _UNSIGNED_EXTERNAL = "externalIds", "unsignedExternalIds"

_members = msgspec.json.Decoder(dict[str, Raw])


class SourceRule(NamedTuple):
    """What a source says about its users: the keys it signs with, and whether its browsers' logins must be signed.

    `testers`: e-mail addresses, and domains from their `@` on, whose events are tests.
    """

    signers: tuple[Signer, ...] = ()
    login_needs_token: bool = False
    testers: frozenset[str] = frozenset()


class Vouching:
    """For the untrusted events of one request. Reads each token once, however many events bring it."""

    def __init__(self, source_id: str, rule: SourceRule, now: datetime) -> None:
        self._source_id = source_id
        self._rule = rule
        self._now = now
        self._read: dict[str, SignedUser | Refusal] = {}

    def judge(self, event: Event, token: object) -> tuple[Event, Outcome | None]:
        """The event with what is vouched for, and what became of its token. None and "" are no token."""
        outcome: Outcome | None = None
        if token is not None and token != "":
            outcome, vouched = self._vouched(event, token)
            event = replace(event, vouched=vouched) if vouched else event
        if self._rule.login_needs_token and "user_id" not in event.vouched:
            event = without_login(event)
        return event, outcome

    def _vouched(self, event: Event, token: object) -> tuple[Outcome, tuple[str, ...]]:
        user = self._verified(token)
        if isinstance(user, str):
            return user, ()
        vouched = vouched_by(user, event)
        return ("other-user", ()) if vouched is None else ("valid", vouched)

    def _verified(self, token: object) -> SignedUser | Refusal:
        if not isinstance(token, str):
            return "malformed"
        if token not in self._read:
            self._read[token] = verify(token, self._source_id, self._rule.signers, self._now)
        return self._read[token]


def vouched_by(user: SignedUser, event: Event) -> tuple[str, ...] | None:
    """The namespaces in which the event states the signed value and no other; None when it is another user's event.

    Who may sign her own e-mail must not lend it to an event that says it is somebody else's.
    """
    stated: dict[str, set[str]] = {}
    for namespace, value in (*identifiers_of(event), *contacts_of(event)):
        stated.setdefault(namespace, set()).add(value)
    signed = dict(_signed(user))
    if stated.get("user_id", {signed["user_id"]}) != {signed["user_id"]}:
        return None
    return tuple(namespace for namespace, value in signed.items() if stated.get(namespace) == {value})


def _signed(user: SignedUser) -> Iterator[tuple[str, str]]:
    yield "user_id", normalise("user_id", user.user_id).value
    if user.phone is not None:
        yield "phone", normalise("phone", user.phone).value
    if user.email is not None:
        yield "email", normalise("email", user.email).value


def without_login(event: Event) -> Event:
    """The event with its user id put where nobody takes it for one; external ids that name a person likewise."""
    if event.user_id is not None:
        event = replace(event, user_id=None, unsigned_user_id=event.user_id)
    if any(identifier.namespace in _LOGINS for identifier in identifiers_of(event)):
        event = replace(event, context=_without_external_ids(event.context))
    return event


def _without_external_ids(context: Raw) -> Raw:
    members = _members.decode(context)
    return Raw(
        msgspec.json.encode({_UNSIGNED_EXTERNAL if name == _EXTERNAL else name: raw for name, raw in members.items()})
    )
