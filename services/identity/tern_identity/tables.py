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

from tern_common.outbox import outbox_columns, parcel_columns

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
    Column("from_day", Integer, comment="The first day of its era; none: since ever."),
    Column("ns", Text, nullable=False),
    Column("kind", Text, nullable=False, comment="unique, strong or weak: for life."),
    Column("token", Uuid, nullable=False, unique=True, comment="The node's id for ever; customer ids are tokens."),
    Column("original", LargeBinary, comment="The value, sealed. None: erased, and what is left is a tombstone."),
    Column("blocked", Boolean, nullable=False, server_default="false", comment="By the blocklist of the rules."),
    Column("stamp", Integer, nullable=False, server_default="0", comment="Grows when an operator moves its facts."),
    Column("instead", BigInteger, comment="An era that was taken back: whom its id stands for."),
    Column("grp", BigInteger, comment="Strong: its group."),
    Column("core", BigInteger, comment="Strong: the node that names its core."),
    Column("guard", Text, comment="Strong: why it is in quarantine."),
    Column("crowded", Boolean, comment="Strong: seen on too many browsers to hold any."),
    Column("holder", BigInteger, comment="Weak: a strong node of the core that holds it."),
    Column("shared_from", Integer, comment="Weak: the day from which it is nobody's."),
    Column("shared_token", Uuid, comment="Weak: the id of its shared customer."),
    Index("node_hash_era", "hash", "era", unique=True),
    Index("node_shared_token", "shared_token", unique=True, postgresql_where=text("shared_token IS NOT NULL")),
    Index("node_grp", "grp", postgresql_where=text("grp IS NOT NULL")),
    Index("node_guard", "node_id", postgresql_where=text("guard IS NOT NULL")),
    postgresql_with={"fillfactor": "65"},
)

grp = Table(
    "grp",
    metadata,
    Column("grp", BigInteger, primary_key=True, autoincrement=False, comment="One row per strong node, to be locked."),
    Column("newest_at", DateTime(timezone=True), comment="The newest of its pairs, in the order of the fold."),
    Column("newest_event", _by_code_point),
    Column("newest_place", SmallInteger),
    Column("contested", Boolean, nullable=False, server_default="false", comment="It may not be one customer whole."),
    Column("deferred", Boolean, nullable=False, server_default="false", comment="A fold from the ledger is owed."),
    Column("rules", Integer, nullable=False, server_default="0", comment="The version that its cores were made by."),
    Index("grp_deferred", "grp", postgresql_where=text("deferred")),
)

pair = Table(
    "pair",
    metadata,
    Column("a", BigInteger, primary_key=True, autoincrement=False),
    Column("b", BigInteger, primary_key=True, autoincrement=False),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("source", Text, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("event_id", _by_code_point, nullable=False),
    Column("place", SmallInteger, nullable=False),
    Index("pair_b_a", "b", "a"),
)

claim = Table(
    "claim",
    metadata,
    Column("weak", BigInteger, primary_key=True, autoincrement=False),
    Column("strong", BigInteger, primary_key=True, autoincrement=False),
    Column("rank", SmallInteger, primary_key=True, autoincrement=False),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("source", Text, primary_key=True),
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
    Column("erased", Boolean, nullable=False, server_default="false", comment="Gone for ever; never placed again."),
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

control = Table(
    "control",
    metadata,
    Column("control_id", BigInteger, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),
    Column("nodes", ARRAY(BigInteger), nullable=False, comment="Whom it speaks of."),
    Column("rest", ARRAY(BigInteger), nullable=False, comment="The other side, where there are two."),
    Column("day", Integer),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("undone_by", Text),
    Column("undone_reason", Text),
    Column("undone_at", DateTime(timezone=True)),
    comment="What operators did, and took back. Rows are for ever.",
)

ruling = Table(
    "ruling",
    metadata,
    Column("control_id", BigInteger, primary_key=True, autoincrement=False),
    Column("word", Text, primary_key=True),
    Column("a", BigInteger, primary_key=True, autoincrement=False),
    Column("b", BigInteger, primary_key=True, autoincrement=False, comment="0 where the word is about one node."),
    Column("live", Boolean, nullable=False, server_default="true"),
    Index("ruling_a", "a", postgresql_where=text("live")),
    Index("ruling_b", "b", postgresql_where=text("live")),
)

merge = Table(
    "merge",
    metadata,
    Column("merge_id", Uuid, primary_key=True),
    Column("a", BigInteger, nullable=False),
    Column("b", BigInteger, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, comment="When its pair was said."),
    comment="Merges that pairs made, by the id under which they were told: what a revert names.",
)

ruleset = Table(
    "ruleset",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("rules", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("live", Boolean, nullable=False),
    Index("ruleset_live", "live", unique=True, postgresql_where=text("live")),
    comment="Every version of the rules that was ever live; one is.",
)

job = Table(
    "job",
    metadata,
    Column("job_id", BigInteger, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("cursor", BigInteger, nullable=False, comment="The last node that is done."),
    Column("last", BigInteger, nullable=False, comment="The node at which it ends."),
    Column("changed", BigInteger, nullable=False, server_default="0", comment="Homes that it moved, or rows it wrote."),
    Column("asked", Text, comment="What was asked for, beside its kind: rules, a share of the ledger."),
    Column("report", Text, comment="What it found, as far as it is."),
    Column("ended_at", DateTime(timezone=True)),
    comment="Work on the whole graph, chunk by chunk; goes on where it was after a crash.",
)

outbox = Table("outbox", metadata, *outbox_columns())
parcel = Table("parcel", metadata, *parcel_columns())
