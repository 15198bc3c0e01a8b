"""What is shown of an id that is meant to name nobody, and may nevertheless."""

from __future__ import annotations

from tern_common.identifiers.normalising import masked


def shown_id(text: str | None, *, hide: bool) -> str | None:
    """A message's id, which some shops make of an address: then it is masked, everywhere alike."""
    return masked(text) if text is not None and hide and "@" in text else text
