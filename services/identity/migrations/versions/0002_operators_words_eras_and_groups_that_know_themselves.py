"""Operators' words, eras, and groups that know whether they are contested.

Facts get the source that stated them as a part of their key. Groups that are there already were made by rules of no
version, so the first news folds them from the ledger.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SCHEMA = "identity"
KINDS = "CASE ns WHEN 'user_id' THEN 'unique' WHEN 'anonymous_id' THEN 'weak' ELSE 'strong' END"


def upgrade() -> None:
    _nodes()
    _groups()
    _facts()
    _operators()
    _graph_work()


def _nodes() -> None:
    op.add_column("node", _told("from_day", sa.Integer(), "The first day of its era; none: since ever."), schema=SCHEMA)
    op.add_column("node", sa.Column("kind", sa.Text(), comment="unique, strong or weak: for life."), schema=SCHEMA)
    op.execute(f"UPDATE identity.node SET kind = {KINDS}")  # noqa: S608
    op.alter_column("node", "kind", nullable=False, schema=SCHEMA)
    op.alter_column(
        "node",
        "original",
        nullable=True,
        comment="The value, sealed. None: erased, and what is left is a tombstone.",
        schema=SCHEMA,
    )
    op.add_column("node", _flag("blocked", "By the blocklist of the rules."), schema=SCHEMA)
    op.add_column(
        "node",
        sa.Column(
            "stamp",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Grows when an operator moves its facts.",
        ),
        schema=SCHEMA,
    )
    op.add_column(
        "node", _told("instead", sa.BigInteger(), "An era that was taken back: whom its id stands for."), schema=SCHEMA
    )
    op.create_index("node_guard", "node", ["node_id"], schema=SCHEMA, postgresql_where=sa.text("guard IS NOT NULL"))
    op.add_column("home", _flag("erased", "Gone for ever; never placed again."), schema=SCHEMA)


def _groups() -> None:
    newest = sa.DateTime(timezone=True)
    op.add_column(
        "grp", _told("newest_at", newest, "The newest of its pairs, in the order of the fold."), schema=SCHEMA
    )
    op.add_column("grp", sa.Column("newest_event", sa.Text(collation="C")), schema=SCHEMA)
    op.add_column("grp", sa.Column("newest_place", sa.SmallInteger()), schema=SCHEMA)
    op.add_column("grp", _flag("contested", "It may not be one customer whole."), schema=SCHEMA)
    op.add_column("grp", _flag("deferred", "A fold from the ledger is owed."), schema=SCHEMA)
    op.add_column(
        "grp",
        sa.Column(
            "rules",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="The version that its cores were made by.",
        ),
        schema=SCHEMA,
    )
    op.create_index("grp_deferred", "grp", ["grp"], schema=SCHEMA, postgresql_where=sa.text("deferred"))


def _facts() -> None:
    op.drop_constraint("pair_pkey", "pair", schema=SCHEMA)
    op.create_primary_key("pair_pkey", "pair", ["a", "b", "day", "source"], schema=SCHEMA)
    op.add_column("claim", sa.Column("source", sa.Text(), server_default="", nullable=False), schema=SCHEMA)
    op.alter_column("claim", "source", server_default=None, schema=SCHEMA)
    op.drop_constraint("claim_pkey", "claim", schema=SCHEMA)
    op.create_primary_key("claim_pkey", "claim", ["weak", "strong", "rank", "day", "source"], schema=SCHEMA)


def _operators() -> None:
    op.create_table(
        "control",
        sa.Column("control_id", sa.BigInteger(), autoincrement=True, primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("nodes", sa.ARRAY(sa.BigInteger()), nullable=False, comment="Whom it speaks of."),
        sa.Column("rest", sa.ARRAY(sa.BigInteger()), nullable=False, comment="The other side, where there are two."),
        sa.Column("day", sa.Integer()),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_by", sa.Text()),
        sa.Column("undone_reason", sa.Text()),
        sa.Column("undone_at", sa.DateTime(timezone=True)),
        schema=SCHEMA,
        comment="What operators did, and took back. Rows are for ever.",
    )
    op.create_table(
        "ruling",
        sa.Column("control_id", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("word", sa.Text(), primary_key=True),
        sa.Column("a", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column(
            "b",
            sa.BigInteger(),
            autoincrement=False,
            primary_key=True,
            comment="0 where the word is about one node.",
        ),
        sa.Column("live", sa.Boolean(), server_default="true", nullable=False),
        schema=SCHEMA,
    )
    for end in ("a", "b"):
        op.create_index(f"ruling_{end}", "ruling", [end], schema=SCHEMA, postgresql_where=sa.text("live"))
    op.create_table(
        "merge",
        sa.Column("merge_id", sa.Uuid(), primary_key=True),
        sa.Column("a", sa.BigInteger(), nullable=False),
        sa.Column("b", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, comment="When its pair was said."),
        schema=SCHEMA,
        comment="Merges that pairs made, by the id under which they were told: what a revert names.",
    )


def _graph_work() -> None:
    op.create_table(
        "ruleset",
        sa.Column("version", sa.Integer(), autoincrement=False, primary_key=True),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        schema=SCHEMA,
        comment="Every version of the rules that was ever live; one is.",
    )
    op.create_index("ruleset_live", "ruleset", ["live"], unique=True, schema=SCHEMA, postgresql_where=sa.text("live"))
    op.create_table(
        "job",
        sa.Column("job_id", sa.BigInteger(), autoincrement=True, primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False, comment="The last node that is done."),
        sa.Column("last", sa.BigInteger(), nullable=False, comment="The node at which it ends."),
        sa.Column(
            "changed",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="Homes that it moved, or rows it wrote.",
        ),
        _told("asked", sa.Text(), "What was asked for, beside its kind: rules, a share of the ledger."),
        _told("report", sa.Text(), "What it found, as far as it is."),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        schema=SCHEMA,
        comment="Work on the whole graph, chunk by chunk; goes on where it was after a crash.",
    )


def downgrade() -> None:
    for table in ("job", "ruleset", "merge", "ruling", "control"):
        op.drop_table(table, schema=SCHEMA)
    op.execute("DELETE FROM identity.claim")
    op.drop_constraint("claim_pkey", "claim", schema=SCHEMA)
    op.drop_column("claim", "source", schema=SCHEMA)
    op.create_primary_key("claim_pkey", "claim", ["weak", "strong", "rank", "day"], schema=SCHEMA)
    op.drop_constraint("pair_pkey", "pair", schema=SCHEMA)
    op.execute("DELETE FROM identity.pair")
    op.create_primary_key("pair_pkey", "pair", ["a", "b", "day"], schema=SCHEMA)
    op.drop_index("grp_deferred", "grp", schema=SCHEMA)
    for column in ("newest_at", "newest_event", "newest_place", "contested", "deferred", "rules"):
        op.drop_column("grp", column, schema=SCHEMA)
    op.drop_column("home", "erased", schema=SCHEMA)
    op.drop_index("node_guard", "node", schema=SCHEMA)
    for column in ("from_day", "kind", "blocked", "stamp", "instead"):
        op.drop_column("node", column, schema=SCHEMA)
    op.alter_column("node", "original", nullable=False, comment="The value, sealed.", schema=SCHEMA)


def _flag(name: str, comment: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), server_default="false", nullable=False, comment=comment)


def _told(name: str, kind: sa.types.TypeEngine[object], comment: str) -> sa.Column[object]:
    return sa.Column(name, kind, comment=comment)
