"""User tokens as a shop's backend would sign them, and as others might try to."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import datetime, timedelta
from typing import Any

from unit.ingest.door import NOW

KEY = "uk_1_a-signing-key-of-more-than-thirty-two-bytes"
SOURCE = "shop"


def b64(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(claims: object, key: str | bytes = KEY, **header: Any) -> str:
    """Any claims under HMAC-SHA-256, whatever the header says."""
    head = {"alg": "HS256", "typ": "JWT"} | header
    text = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(claims).encode())}"
    secret = key.encode() if isinstance(key, str) else key
    return f"{text}.{b64(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


def claims(at: datetime = NOW, **changed: Any) -> dict[str, Any]:
    """Of a good token, made `at`."""
    return {"sub": "ann-1", "aud": SOURCE, "exp": int((at + timedelta(hours=1)).timestamp())} | changed


def token(key: str = KEY, at: datetime = NOW, **changed: Any) -> str:
    """A good token, but for what is changed."""
    return signed(claims(at, **changed), key)
