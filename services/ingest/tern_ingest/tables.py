"""The tables of schema `ingest`: who may send events, and who signs for users."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

SCHEMA = "ingest"

metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    },
)

source = Table(
    "source",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column(
        "login_needs_token",
        Boolean,
        nullable=False,
        server_default=false(),
        comment="an unsigned user id of an untrusted key is then no identifier",
    ),
    Column(
        "origins",
        ARRAY(Text),
        nullable=False,
        server_default=text("'{}'"),
        comment="the pages that may send; none listed means all",
    ),
    Column("server_events_per_s", Double, comment="of each server key; null means the policy's"),
    Column("browser_events_per_s", Double, comment="of each browser key; null means the policy's"),
    Column(
        "testers",
        ARRAY(Text),
        nullable=False,
        server_default=text("'{}'"),
        comment="e-mail addresses, and domains from their @ on, whose events are tests",
    ),
)

write_key = Table(
    "write_key",
    metadata,
    Column("id", Text, primary_key=True),
    Column("source_id", Text, ForeignKey(source.c.id), nullable=False),
    Column("kind", Text, nullable=False, comment="server or browser"),
    Column("trusted", Boolean, nullable=False, comment="by its kind, unless an operator says otherwise"),
    Column("secret_hash", LargeBinary, nullable=False, comment="SHA-256; the secret itself is not kept"),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("revoked_at", DateTime(timezone=True)),
)

Index("write_key_by_source", write_key.c.source_id)

user_key = Table(
    "user_key",
    metadata,
    Column("id", Text, primary_key=True),
    Column("source_id", Text, ForeignKey(source.c.id), nullable=False),
    Column("sealed", LargeBinary, comment="the key, encrypted; gone once it is revoked"),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("revoked_at", DateTime(timezone=True)),
    CheckConstraint("(sealed IS NULL) = (revoked_at IS NOT NULL)", name="live_is_sealed"),
)

Index("user_key_by_source", user_key.c.source_id)

quality = Table(
    "quality",
    metadata,
    Column("source_id", Text, ForeignKey(source.c.id), primary_key=True),
    Column("day", Date, primary_key=True, comment="of receipt, in UTC"),
    Column("what", Text, primary_key=True, comment="domain/tallies.py says what is counted"),
    Column("name", Text, primary_key=True, comment="of an event"),
    Column("about", Text, primary_key=True, comment="the property of a fault"),
    Column("how", Text, primary_key=True, comment="a fault's kind, or why an event was rejected"),
    Column("count", BigInteger, nullable=False),
)

Index("quality_by_day", quality.c.day)
