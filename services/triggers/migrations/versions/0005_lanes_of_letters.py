"""The lane of each letter: what is old goes by the safe time by which it was decided

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SCHEMA = "triggers"


def upgrade() -> None:
    """Letters that wait already wait for all lanes, as they did."""
    op.add_column("outbox", sa.Column("lane", sa.Text(), nullable=False, server_default="all"), schema=SCHEMA)


def downgrade() -> None:
    op.drop_column("outbox", "lane", schema=SCHEMA)
