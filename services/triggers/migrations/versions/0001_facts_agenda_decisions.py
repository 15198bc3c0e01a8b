"""Facts, agenda, decisions, outbox, positions.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = (
    "agenda",
    "cart_key",
    "decision",
    "fact",
    "former",
    "membership",
    "outbox",
    "position",
    "profile_copy",
    "ruleset",
    "safe_time",
)


def upgrade() -> None:
    op.create_table(
        "agenda",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("next_live", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_all", sa.DateTime(timezone=True), nullable=True),
        sa.Column("oldest_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("newest_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("customer_id"),
        schema="triggers",
        comment="One row a customer: its lock, the next moments to look at it, and the span of its facts.",
    )
    op.create_index(
        "agenda_next_all",
        "agenda",
        ["next_all"],
        unique=False,
        schema="triggers",
        postgresql_where=sa.text("next_all IS NOT NULL"),
    )
    op.create_index(
        "agenda_next_live",
        "agenda",
        ["next_live"],
        unique=False,
        schema="triggers",
        postgresql_where=sa.text("next_live IS NOT NULL"),
    )
    op.create_table(
        "cart_key",
        sa.Column("cart_id", sa.Text(), nullable=False),
        sa.Column("newest_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("newest_message", sa.Text(), nullable=True),
        sa.Column("newest_home", sa.Uuid(), nullable=True),
        sa.Column("order_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("order_message", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("cart_id"),
        schema="triggers",
        comment="Over all customers: a cart's newest event and the newest order that names it. Maxima.",
    )
    op.create_table(
        "decision",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("trigger_id", sa.Uuid(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("rule_version", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("step", sa.SmallInteger(), nullable=False),
        sa.Column("home_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("cycle_ref", sa.Text(), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("anchor", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due", sa.DateTime(timezone=True), nullable=False),
        sa.Column("round", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("facts", sa.LargeBinary(), nullable=False),
        sa.Column("retracted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        schema="triggers",
        comment="What was decided, once, for (rule, key, cycle, step); notes of cycles that ended undecided.",
    )
    op.create_index("decision_decided", "decision", ["decided_at"], unique=False, schema="triggers")
    op.create_index("decision_home", "decision", ["home_id", "round"], unique=False, schema="triggers")
    op.create_index(
        "decision_open_home",
        "decision",
        ["home_id", "expires"],
        unique=False,
        schema="triggers",
        postgresql_where=sa.text("outcome = 'fired' AND retracted_at IS NULL"),
    )
    op.create_index(
        "decision_open_key",
        "decision",
        ["key", "expires"],
        unique=False,
        schema="triggers",
        postgresql_where=sa.text("outcome = 'fired' AND retracted_at IS NULL AND key <> ''"),
    )
    op.create_index("decision_rule_key", "decision", ["rule", "key"], unique=False, schema="triggers")
    op.create_index(
        "decision_trigger_once",
        "decision",
        ["trigger_id"],
        unique=True,
        schema="triggers",
        postgresql_where=sa.text("outcome IN ('fired', 'held_out', 'withdrawn')"),
    )
    op.create_table(
        "fact",
        sa.Column("home_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("passive", sa.Boolean(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("home_id", "kind", "key", "message_id"),
        schema="triggers",
        comment="What one event says that a live rule reads. A set: of copies the least (at, passive, body) stays.",
    )
    op.create_table(
        "former",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("into_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id"),
        schema="triggers",
        comment="Where a customer's homes last went; counts only while it has none.",
    )
    op.create_index("former_into", "former", ["into_id"], unique=False, schema="triggers")
    op.create_table(
        "membership",
        sa.Column("home_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("home_id"),
        schema="triggers",
        comment="Whose a home is; the highest version wins.",
    )
    op.create_index("membership_customer", "membership", ["customer_id"], unique=False, schema="triggers")
    op.create_table(
        "outbox",
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("trigger_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("attempted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease", sa.DateTime(timezone=True), nullable=True),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("seq"),
        schema="triggers",
        comment="To be published. created_at, attempted_at and lease are real time, checked_at is domain time.",
    )
    op.create_index("outbox_trigger", "outbox", ["trigger_id", "seq"], unique=False, schema="triggers")
    op.create_table(
        "position",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("next", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition"),
        schema="triggers",
        comment="Everything below `next` is in this database: written in the transaction that applied it.",
    )
    op.create_table(
        "profile_copy",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("rev", sa.BigInteger(), nullable=False),
        sa.Column("merged_into", sa.Uuid(), nullable=True),
        sa.Column("verdicts", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id"),
        schema="triggers",
        comment="What a decision needs of a profile: consent, contact points, shared. The highest rev wins.",
    )
    op.create_table(
        "ruleset",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        schema="triggers",
        comment="The rules and numbers that the agenda was planned with.",
    )
    op.create_table(
        "safe_time",
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("lane"),
        schema="triggers",
        comment="Everything acknowledged before `at` is in this database. Only ever grows.",
    )


def downgrade() -> None:
    for table in _TABLES:
        op.drop_table(table, schema="triggers")
