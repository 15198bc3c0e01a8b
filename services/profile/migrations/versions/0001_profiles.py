"""Homes with their fragments, events, public records, consent.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = "profile"
TIME = sa.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.create_table(
        "home",
        sa.Column("home_id", sa.LargeBinary, primary_key=True),
        sa.Column("customer_id", sa.Uuid, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("shared", sa.Boolean, nullable=False),
        sa.Column("first_at", TIME),
        sa.Column("last_at", TIME),
        sa.Column("activity", sa.JSON),
        sa.Column("standing", sa.JSON),
        schema=SCHEMA,
        comment="A home's membership (the highest version wins) and its fragment; a door has no events.",
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index("home_customer", "home", ["customer_id"], schema=SCHEMA)
    op.create_table(
        "event",
        sa.Column("home_id", sa.LargeBinary, primary_key=True),
        sa.Column("message_id", sa.Text, primary_key=True),
        sa.Column("event_time", TIME, nullable=False),
        sa.Column("raw", sa.JSON, nullable=False),
        schema=SCHEMA,
        comment="Every event as it came, once: what a fragment can be folded from again.",
    )
    op.create_table(
        "profile",
        sa.Column("customer_id", sa.Uuid, primary_key=True),
        sa.Column("profile_version", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.LargeBinary),
        sa.Column("record", sa.JSON),
        schema=SCHEMA,
        comment="The public record as last published; its row is the customer's lock. Version 0: never published.",
        postgresql_with={"fillfactor": "70"},
    )
    op.create_table(
        "moved",
        sa.Column("customer_id", sa.Uuid, primary_key=True),
        sa.Column("into_customer", sa.Uuid, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        schema=SCHEMA,
        comment="Where a customer went; only who has no home left is looked up here.",
    )
    op.create_table(
        "subject",
        sa.Column("subject", sa.LargeBinary, primary_key=True),
        schema=SCHEMA,
        comment="A named contact's keyed hash: the lock under which its consent and its homes change.",
    )
    op.create_table(
        "consent",
        sa.Column("subject", sa.LargeBinary, primary_key=True),
        sa.Column("purpose", sa.Text, primary_key=True),
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("home_id", sa.LargeBinary, primary_key=True),
        sa.Column("granted_at", TIME),
        sa.Column("granted_proof", sa.Text),
        sa.Column("trusted_at", TIME),
        sa.Column("trusted_proof", sa.Text),
        sa.Column("withdrawn_at", TIME),
        schema=SCHEMA,
        comment="What each home says about a named contact; the verdict takes the maxima over homes.",
    )
    op.create_index("consent_home", "consent", ["home_id"], schema=SCHEMA)
    op.create_table(
        "contact",
        sa.Column("subject", sa.LargeBinary, primary_key=True),
        sa.Column("home_id", sa.LargeBinary, primary_key=True),
        schema=SCHEMA,
        comment="Homes that said this contact point: whose records a consent may change.",
    )


def downgrade() -> None:
    for table in ("contact", "consent", "subject", "moved", "profile", "event", "home"):
        op.drop_table(table, schema=SCHEMA)
