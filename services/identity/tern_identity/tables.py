"""The tables of schema `identity` (identity.md §7): the ledger, what follows from it, and the outbox.

Values of identifiers stand here only as keyed hashes and, sealed, in `node.original`. Days count from 1970 in UTC.
"""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Sequence,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)

from tern_common.outbox import outbox_columns

SCHEMA = "identity"
metadata = MetaData(schema=SCHEMA)

node_id = Sequence("node_id", metadata=metadata, schema=SCHEMA)
membership_version = Sequence("membership_version", metadata=metadata, schema=SCHEMA)

_by_code_point = Text(collation="C")

node = Table(
    "node",
    metadata,
    Column("node_id", BigInteger, primary_key=True, autoincrement=False, comment="Numbers are in order of birth."),
    Column("hash", LargeBinary, nullable=False),
    Column("era", SmallInteger, nullable=False, server_default="0"),
    Column("ns", Text, nullable=False),
    Column("token", Uuid, nullable=False, unique=True, comment="The node's id for ever; customer ids are tokens."),
    Column("original", LargeBinary, nullable=False, comment="The value, sealed."),
    Column("grp", BigInteger, comment="Strong: its group."),
    Column("core", BigInteger, comment="Strong: the node that names its core."),
    Column("guard", Text, comment="Strong: why it is in quarantine."),
    Column("crowded", Boolean, comment="Strong: seen on too many browsers to hold any."),
    Column("holder", BigInteger, comment="Weak: a strong node of the core that holds it."),
    Column("shared_from", Integer, comment="Weak: the day from which it is nobody's."),
    Column("shared_token", Uuid, unique=True, comment="Weak: the id of its shared customer."),
    Index("node_hash_era", "hash", "era", unique=True),
    Index("node_grp", "grp", postgresql_where=text("grp IS NOT NULL")),
)

grp = Table(
    "grp",
    metadata,
    Column("grp", BigInteger, primary_key=True, autoincrement=False, comment="One row per strong node, to be locked."),
)

pair = Table(
    "pair",
    metadata,
    Column("a", BigInteger, primary_key=True, autoincrement=False),
    Column("b", BigInteger, primary_key=True, autoincrement=False),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("event_id", _by_code_point, nullable=False),
    Column("place", SmallInteger, nullable=False),
    Column("source", Text, nullable=False),
    Index("pair_b_a", "b", "a"),
)

claim = Table(
    "claim",
    metadata,
    Column("weak", BigInteger, primary_key=True, autoincrement=False),
    Column("strong", BigInteger, primary_key=True, autoincrement=False),
    Column("rank", SmallInteger, primary_key=True, autoincrement=False),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("event_id", _by_code_point, nullable=False),
    Index("claim_strong_weak", "strong", "weak"),
)

home = Table(
    "home",
    metadata,
    Column("home_id", LargeBinary, primary_key=True),
    Column("nodes", ARRAY(BigInteger), nullable=False, comment="In priority order."),
    Column("day", Integer, nullable=False),
    Column("is_door", Boolean, nullable=False),
    Column("customer_id", Uuid, nullable=False),
    Column("shared", Boolean, nullable=False),
    Column("version", BigInteger, nullable=False),
)

home_node = Table(
    "home_node",
    metadata,
    Column("node_id", BigInteger, primary_key=True, autoincrement=False),
    Column("home_id", LargeBinary, primary_key=True),
)

refusal = Table(
    "refusal",
    metadata,
    Column("a", BigInteger, primary_key=True, autoincrement=False),
    Column("b", BigInteger, primary_key=True, autoincrement=False),
    comment="Pairs whose refusal was told: each is told once.",
)

outbox = Table("outbox", metadata, *outbox_columns())
