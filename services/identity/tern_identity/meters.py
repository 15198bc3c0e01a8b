"""What the service counts. Never data: a count has no name in it."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from tern_common.board import seen_by_each

_EVENTS = Counter("tern_identity_events", "Events filed.")
_KNOWN = Counter("tern_identity_known_events", "Events filed that brought nothing new.")
_REFOLDS = Counter("tern_identity_refolds", "Groups folded from the ledger.")
_MOVED = Counter("tern_identity_moved_homes", "Homes and doors that got a new membership.")
_DEFERRED = seen_by_each(Gauge("tern_identity_deferred_groups", "Giant groups that are owed a fold."))


class PrometheusTally:
    """Counts for `/metrics`."""

    def filed(self, events: int, news: int) -> None:
        _EVENTS.inc(events)
        _KNOWN.inc(events - news)

    def settled(self, refolds: int, moved: int) -> None:
        _REFOLDS.inc(refolds)
        _MOVED.inc(moved)

    def deferred(self, groups: int) -> None:
        _DEFERRED.set(groups)
