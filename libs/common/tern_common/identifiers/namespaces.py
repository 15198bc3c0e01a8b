"""The kinds of identifiers there are: those that ship (identity.md §0) and those that a shop declares for its sources.

Pure. Knows names, kinds and priorities; no value, and not how many of them one customer may have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

Kind = Literal["unique", "strong", "weak"]

WECHAT_OPENID = "wechat_openid"
LONGEST_NAME = 78

_DECLARED_PRIORITY = 9
_KINDS: Mapping[Kind, int] = {"unique": 0, "strong": 1, "weak": 2}
_NAME = re.compile("[a-z][a-z0-9_]{1,62}")
_APP = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Namespace(NamedTuple):
    """`unique` names one person, `strong` may be one person's, `weak` is a browser or a device. Priority 1 is the
    strongest; all that are declared share one, after those that ship."""

    priority: int
    kind: Kind


class Declared(NamedTuple):
    """A namespace of a shop's own: what it is, and which sources may state it. None: any source."""

    kind: Kind
    sources: frozenset[str] | None = None


_SHIPPED: Mapping[str, Namespace] = {
    "user_id": Namespace(1, "unique"),
    "wechat_unionid": Namespace(2, "unique"),
    "loyalty_card": Namespace(3, "strong"),
    "phone": Namespace(4, "strong"),
    "email": Namespace(5, "strong"),
    WECHAT_OPENID: Namespace(6, "strong"),
    "device_id": Namespace(7, "weak"),
    "anonymous_id": Namespace(8, "weak"),
}


class Namespaces(Mapping[str, Namespace]):
    """All that are known. Immutable; equal when they declare the same.

    `wechat_openid` is a family: an openid means something within one app only, so each app has a namespace of its own,
    `wechat_openid:<app>`. The family stands for them all where a kind or a limit is asked for.
    """

    def __init__(self, declared: Mapping[str, Declared] = MappingProxyType({})) -> None:
        """Raises `ValueError` for a name that ships, that is of a family, or that is not `[a-z][a-z0-9_]{1,62}`."""
        for name in declared:
            if name in _SHIPPED:
                raise ValueError(f"{name} is a namespace that ships: it cannot be declared")
            if not _NAME.fullmatch(name):
                raise ValueError(f"a namespace is 2 to 63 of a-z, 0-9 and _, and begins with a letter: not {name!r}")
        self._declared = dict(declared)
        own = {name: Namespace(_DECLARED_PRIORITY, one.kind) for name, one in declared.items()}
        self._known = {**_SHIPPED, **own}
        self._hash = hash(frozenset(self._declared.items()))

    def __getitem__(self, name: str) -> Namespace:
        """`wechat_openid:<app>` is the family's. Raises `KeyError` for what is not known."""
        return self._known[name] if name in self._known else self._known[family(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Namespaces) and self._declared == other._declared

    def names(self) -> tuple[str, ...]:
        """Shipped ones, then declared ones; a family by its own name."""
        return tuple(self._known)

    def admits(self, name: str, source_id: str) -> bool:
        """Whether this source may state identifiers of this namespace; never of a bare family, which names no app."""
        declared = self._declared.get(name)
        if declared is not None:
            return declared.sources is None or source_id in declared.sources
        return name != WECHAT_OPENID and name in self

    def order(self, name: str) -> tuple[int, int, str]:
        """Sorts the strongest first: by kind, then priority, then name. Raises `KeyError`."""
        priority, kind = self[name]
        return _KINDS[kind], priority, name


NAMESPACES = Namespaces()
"""Those that ship."""


def family(name: str) -> str:
    """`wechat_openid:wx1` → `wechat_openid`; any other name is its own family."""
    if name.startswith(WECHAT_OPENID + ":") and _APP.fullmatch(name, len(WECHAT_OPENID) + 1):
        return WECHAT_OPENID
    return name


def is_well_formed(name: str) -> bool:
    """Whether a name could be a namespace's: one that ships, of a family, or that anybody may declare."""
    return name != WECHAT_OPENID and (family(name) != name or _NAME.fullmatch(name) is not None)


def openid_of(app: str) -> str | None:
    """The namespace of an app's openids; None for what is no app's name: 1 to 64 of a–z, A–Z, 0–9, `.`, `_`, `-`."""
    return f"{WECHAT_OPENID}:{app}" if _APP.fullmatch(app) else None
