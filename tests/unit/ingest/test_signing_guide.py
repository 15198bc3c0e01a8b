"""The lines that docs/events.md gives to a shop's backend make tokens that are good."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tern_common.clock import SystemClock
from tern_ingest.domain.tokens import SignedUser, Signer, verify
from unit.ingest.signing import KEY, SOURCE

GUIDE = Path(__file__).parents[3] / "docs/events.md"
_CODE = re.compile(r"## Signed users\n.*?```python\n(.*?)```", re.DOTALL)


def guided() -> Callable[..., str]:
    """The function as it stands in the guide."""
    found = _CODE.search(GUIDE.read_text())
    assert found
    names: dict[str, Any] = {}
    exec(found[1], names)
    made: Callable[..., str] = names["user_token"]
    return made


def test_a_backend_that_follows_the_guide_signs_its_users() -> None:
    sign, now = guided(), SystemClock().now()
    signers = (Signer(KEY.encode()),)
    full = sign(SOURCE, KEY, "ann-1", email="ann@example.com", phone="13800138000")
    assert verify(full, SOURCE, signers, now) == SignedUser("ann-1", "ann@example.com", "13800138000")
    assert verify(sign(SOURCE, KEY, "安-1"), SOURCE, signers, now) == SignedUser("安-1", None, None)
    assert verify(sign("another", KEY, "ann-1"), SOURCE, signers, now) == "audience"
