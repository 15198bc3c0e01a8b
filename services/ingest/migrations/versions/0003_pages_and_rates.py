"""Which pages a source takes events from, and how fast its keys may send."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SCHEMA = "ingest"


def upgrade() -> None:
    op.add_column(
        "source",
        sa.Column(
            "origins",
            ARRAY(sa.Text),
            nullable=False,
            server_default=sa.text("'{}'"),
            comment="the pages that may send; none listed means all",
        ),
        schema=SCHEMA,
    )
    for kind in ("server", "browser"):
        op.add_column(
            "source",
            sa.Column(f"{kind}_events_per_s", sa.Double, comment=f"of each {kind} key; null means the policy's"),
            schema=SCHEMA,
        )


def downgrade() -> None:
    for column in ("browser_events_per_s", "server_events_per_s", "origins"):
        op.drop_column("source", column, schema=SCHEMA)
