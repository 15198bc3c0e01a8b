"""The ledger and what follows from it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import CreateSequence, DropSequence

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SEQUENCES = [sa.Sequence(name, schema="identity") for name in ("node_id", "membership_version")]


def upgrade() -> None:
    for sequence in SEQUENCES:
        op.execute(CreateSequence(sequence))
    op.create_table(
        "claim",
        sa.Column("weak", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("strong", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("rank", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_id", sa.Text(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("weak", "strong", "rank", "day"),
        schema="identity",
    )
    op.create_index("claim_strong_weak", "claim", ["strong", "weak"], unique=False, schema="identity")
    op.create_table(
        "grp",
        sa.Column(
            "grp",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="One row per strong node, to be locked.",
        ),
        sa.PrimaryKeyConstraint("grp"),
        schema="identity",
    )
    op.create_table(
        "home",
        sa.Column("home_id", sa.LargeBinary(), nullable=False),
        sa.Column("nodes", sa.ARRAY(sa.BigInteger()), nullable=False, comment="In priority order."),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("is_door", sa.Boolean(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("home_id"),
        schema="identity",
    )
    op.create_table(
        "home_node",
        sa.Column("node_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("home_id", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("node_id", "home_id"),
        schema="identity",
    )
    op.create_table(
        "node",
        sa.Column(
            "node_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="Numbers are in order of birth."
        ),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("era", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("ns", sa.Text(), nullable=False),
        sa.Column("token", sa.Uuid(), nullable=False, comment="The node's id for ever; customer ids are tokens."),
        sa.Column("original", sa.LargeBinary(), nullable=False, comment="The value, sealed."),
        sa.Column("grp", sa.BigInteger(), nullable=True, comment="Strong: its group."),
        sa.Column("core", sa.BigInteger(), nullable=True, comment="Strong: the node that names its core."),
        sa.Column("guard", sa.Text(), nullable=True, comment="Strong: why it is in quarantine."),
        sa.Column("crowded", sa.Boolean(), nullable=True, comment="Strong: seen on too many browsers to hold any."),
        sa.Column("holder", sa.BigInteger(), nullable=True, comment="Weak: a strong node of the core that holds it."),
        sa.Column("shared_from", sa.Integer(), nullable=True, comment="Weak: the day from which it is nobody's."),
        sa.Column("shared_token", sa.Uuid(), nullable=True, comment="Weak: the id of its shared customer."),
        sa.PrimaryKeyConstraint("node_id"),
        sa.UniqueConstraint("shared_token"),
        sa.UniqueConstraint("token"),
        schema="identity",
    )
    op.create_index(
        "node_grp", "node", ["grp"], unique=False, schema="identity", postgresql_where=sa.text("grp IS NOT NULL")
    )
    op.create_index("node_hash_era", "node", ["hash", "era"], unique=True, schema="identity")
    op.create_table(
        "outbox",
        sa.Column("seq", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("headers", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        schema="identity",
    )
    op.create_table(
        "pair",
        sa.Column("a", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("b", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_id", sa.Text(collation="C"), nullable=False),
        sa.Column("place", sa.SmallInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("a", "b", "day"),
        schema="identity",
    )
    op.create_index("pair_b_a", "pair", ["b", "a"], unique=False, schema="identity")
    op.create_table(
        "refusal",
        sa.Column("a", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("b", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("a", "b"),
        schema="identity",
        comment="Pairs whose refusal was told: each is told once.",
    )


def downgrade() -> None:
    op.drop_table("refusal", schema="identity")
    op.drop_index("pair_b_a", table_name="pair", schema="identity")
    op.drop_table("pair", schema="identity")
    op.drop_table("outbox", schema="identity")
    op.drop_index("node_hash_era", table_name="node", schema="identity")
    op.drop_index("node_grp", table_name="node", schema="identity")
    op.drop_table("node", schema="identity")
    op.drop_table("home_node", schema="identity")
    op.drop_table("home", schema="identity")
    op.drop_table("grp", schema="identity")
    op.drop_index("claim_strong_weak", table_name="claim", schema="identity")
    op.drop_table("claim", schema="identity")
    for sequence in SEQUENCES:
        op.execute(DropSequence(sequence))
