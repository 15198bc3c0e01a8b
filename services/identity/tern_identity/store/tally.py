"""What the store tells of its work to whoever counts. Knows nobody who does."""

from __future__ import annotations

from typing import Protocol


class Tally(Protocol):
    """Hears of batches, of the graph, and of groups that are owed a fold."""

    def filed(self, events: int, news: int) -> None:
        """So many events were filed; so many of them brought something new, the others took no lock."""
        ...

    def settled(self, refolds: int, moved: int) -> None:
        """So many groups were folded from the ledger, and so many homes have another membership."""
        ...

    def deferred(self, groups: int) -> None:
        """So many giant groups are owed a fold at this moment."""
        ...


class Untold:
    """Nobody counts."""

    def filed(self, events: int, news: int) -> None: ...

    def settled(self, refolds: int, moved: int) -> None: ...

    def deferred(self, groups: int) -> None: ...


UNTOLD = Untold()
