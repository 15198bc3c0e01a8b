"""The tables of schema `profile`. `store` is the only one that reads and writes them.

A home's membership and its fragment share a row: one lock and one look-up a home. Keys begin with what a table could be
sharded by (home or customer; a subject for consent).
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    TIMESTAMP,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
)

SCHEMA = "profile"

metadata = MetaData(schema=SCHEMA)

home = Table(
    "home",
    metadata,
    Column("home_id", LargeBinary, primary_key=True),
    Column("customer_id", Uuid),
    Column("version", BigInteger, nullable=False),
    Column("shared", Boolean, nullable=False),
    Column("first_at", TIMESTAMP(timezone=True)),
    Column("last_at", TIMESTAMP(timezone=True)),
    Column("activity", JSON),
    Column("rhythm", JSON),
    Column("standing", JSON),
    Index("home_customer", "customer_id"),
    comment="A home's membership (the highest version wins) and its fragment; a door has no events. "
    "Without a customer: erased, a tombstone that keeps its events from coming back.",
)

event = Table(
    "event",
    metadata,
    Column("home_id", LargeBinary, primary_key=True),
    Column("message_id", Text, primary_key=True),
    Column("event_time", TIMESTAMP(timezone=True), nullable=False),
    Column("raw", JSON, nullable=False),
    comment="Every event as it came, once: what a fragment can be folded from again.",
)

timer = Table(
    "timer",
    metadata,
    Column("customer_id", Uuid, primary_key=True),
    Column("next_at", TIMESTAMP(timezone=True)),
    Column("passed", TIMESTAMP(timezone=True)),
    Index("timer_next", "next_at"),
    comment="When a record may change although nothing happens, and up to where it was made knowing what did not.",
)

declared = Table(
    "declared",
    metadata,
    Column("one_row", Boolean, CheckConstraint("one_row"), primary_key=True),
    Column("fingerprint", Text, nullable=False),
    comment="One row: the declarations of computed traits and classes that everybody was looked at for.",
)

profile = Table(
    "profile",
    metadata,
    Column("customer_id", Uuid, primary_key=True),
    Column("profile_version", BigInteger, nullable=False),
    Column("digest", LargeBinary),
    Column("record", JSON),
    Column("published_version", BigInteger, nullable=False, server_default="0"),
    comment="The public record as last published; its row is the customer's lock. Version 0: never published.",
)

moved = Table(
    "moved",
    metadata,
    Column("customer_id", Uuid, primary_key=True),
    Column("into_customer", Uuid),
    Column("version", BigInteger, nullable=False),
    comment="Where a customer went (nowhere: erased); only who has no home left is looked up here.",
)

subject = Table(
    "subject",
    metadata,
    Column("subject", LargeBinary, primary_key=True),
    comment="A named contact's keyed hash: the lock under which its consent and its homes change.",
)

consent = Table(
    "consent",
    metadata,
    Column("subject", LargeBinary, primary_key=True),
    Column("purpose", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("home_id", LargeBinary, primary_key=True),
    Column("granted_at", TIMESTAMP(timezone=True)),
    Column("granted_proof", Text),
    Column("trusted_at", TIMESTAMP(timezone=True)),
    Column("trusted_proof", Text),
    Column("withdrawn_at", TIMESTAMP(timezone=True)),
    Index("consent_home", "home_id"),
    comment="What each home says about a named contact; the verdict takes the maxima over homes.",
)

contact = Table(
    "contact",
    metadata,
    Column("subject", LargeBinary, primary_key=True),
    Column("home_id", LargeBinary, primary_key=True),
    Index("contact_home", "home_id"),
    comment="Homes that said this contact point: whose records a consent may change.",
)
