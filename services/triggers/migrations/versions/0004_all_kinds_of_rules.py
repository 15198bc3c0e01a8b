"""All kinds of rules, and the arbiter: deferrals, hold-out, outcomes, stock holds, rules with versions

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SCHEMA = "triggers"


def _time(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    for column in (
        sa.Column("about", sa.Text(), nullable=False, server_default=""),
        sa.Column("act", sa.Text(), nullable=False, server_default="contact"),
        sa.Column("mode", sa.Text(), nullable=False, server_default="live"),
        sa.Column("channels", sa.ARRAY(sa.Text()), nullable=False, server_default="{}"),
        sa.Column("category", sa.Text()),
        _time("released_at"),
    ):
        op.add_column("decision", column, schema=SCHEMA)
    op.add_column("ruleset", sa.Column("revision", sa.BigInteger(), nullable=False, server_default="0"), schema=SCHEMA)
    _arbiter()
    _rules()


def _arbiter() -> None:
    op.create_table(
        "deferral",
        sa.Column("home_id", sa.Uuid(), primary_key=True),
        sa.Column("trigger_id", sa.Uuid(), primary_key=True),
        sa.Column("rule", sa.Text(), nullable=False),
        _time("until", nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        _time("enrolled"),
        comment="A step that has to wait: at `until` everything about it is checked again.",
        schema=SCHEMA,
    )
    op.create_table(
        "arm",
        sa.Column("home_id", sa.Uuid(), primary_key=True),
        sa.Column("rule", sa.Text(), primary_key=True),
        sa.Column("treated", sa.Boolean(), nullable=False),
        comment="Sides of a hold-out, frozen at the first evaluation. Any treated home wins.",
        schema=SCHEMA,
    )
    op.create_table(
        "outcome",
        sa.Column("trigger_id", sa.Uuid(), primary_key=True),
        sa.Column("status", sa.Text(), primary_key=True),
        sa.Column("home_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        _time("at", nullable=False),
        comment="What marketing systems report about a trigger; of copies the earliest stays.",
        schema=SCHEMA,
    )
    op.create_index("outcome_home", "outcome", ["home_id"], schema=SCHEMA)
    op.create_table(
        "hold",
        sa.Column("hold_id", sa.Uuid(), primary_key=True),
        sa.Column("trigger_id", sa.Uuid(), nullable=False),
        sa.Column("home_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("cart_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        _time("until"),
        _time("asked_at", nullable=False),
        comment="Stock that the shop was asked to hold for a reminder, and what it said.",
        schema=SCHEMA,
    )
    op.create_index("hold_trigger", "hold", ["trigger_id"], schema=SCHEMA)
    op.create_index("hold_home", "hold", ["home_id"], schema=SCHEMA)


def _rules() -> None:
    op.create_table(
        "rule",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        _time("since", nullable=False),
        sa.Column("current", sa.Boolean(), nullable=False),
        comment="Every version of every rule; one of each is current. `since`: since when it decides in its mode.",
        schema=SCHEMA,
    )
    op.create_index("rule_current", "rule", ["name"], unique=True, postgresql_where=sa.text("current"), schema=SCHEMA)
    op.create_table(
        "rule_audit",
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        _time("at", nullable=False),
        comment="Who changed a rule, when and why.",
        schema=SCHEMA,
    )
    op.create_index("rule_audit_name", "rule_audit", ["name", "seq"], schema=SCHEMA)
    op.create_table(
        "rule_plan",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("homes_after", sa.Uuid()),
        sa.Column("customers_after", sa.Uuid()),
        comment="Rules that changed, and how far those whom they concern have been planned a look for.",
        schema=SCHEMA,
    )


def downgrade() -> None:
    for table in ("rule_plan", "rule_audit", "rule", "hold", "outcome", "arm", "deferral"):
        op.drop_table(table, schema=SCHEMA)
    op.drop_column("ruleset", "revision", schema=SCHEMA)
    for column in ("released_at", "category", "channels", "mode", "act", "about"):
        op.drop_column("decision", column, schema=SCHEMA)
