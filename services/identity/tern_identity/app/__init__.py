"""The HTTP edge: one file a concern. Knows no SQL."""

from __future__ import annotations

SUMMARY = "Who is it: one customer for many identifiers, provably, and with a way back."
