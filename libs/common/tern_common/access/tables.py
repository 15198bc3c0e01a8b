"""Tables of schema `access`."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, DateTime, LargeBinary, MetaData, Table, Text, func

metadata = MetaData(schema="access")

token = Table(
    "token",
    metadata,
    Column("token_id", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False, comment="SHA-256 of the secret"),
    Column("role", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("expires_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
    CheckConstraint("role IN ('read', 'pii:read', 'admin')", name="token_role_check"),
)
