"""What was counted of a source's events, and the addresses of its testers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SCHEMA = "ingest"


def upgrade() -> None:
    op.add_column(
        "source",
        sa.Column(
            "testers",
            ARRAY(sa.Text),
            nullable=False,
            server_default=sa.text("'{}'"),
            comment="e-mail addresses, and domains from their @ on, whose events are tests",
        ),
        schema=SCHEMA,
    )
    op.create_table(
        "quality",
        sa.Column("source_id", sa.Text, nullable=False),
        sa.Column("day", sa.Date, nullable=False, comment="of receipt, in UTC"),
        sa.Column("what", sa.Text, nullable=False, comment="domain/tallies.py says what is counted"),
        sa.Column("name", sa.Text, nullable=False, comment="of an event"),
        sa.Column("about", sa.Text, nullable=False, comment="the property of a fault"),
        sa.Column("how", sa.Text, nullable=False, comment="a fault's kind, or why an event was rejected"),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("source_id", "day", "what", "name", "about", "how", name="quality_pkey"),
        sa.ForeignKeyConstraint(["source_id"], [f"{SCHEMA}.source.id"], name="quality_source_id_fkey"),
        schema=SCHEMA,
    )
    op.create_index("quality_by_day", "quality", ["day"], schema=SCHEMA)


def downgrade() -> None:
    op.drop_table("quality", schema=SCHEMA)
    op.drop_column("source", "testers", schema=SCHEMA)
