"""Tokens."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table that every service reads."""
    op.create_table(
        "token",
        sa.Column("token_id", sa.Text(), primary_key=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of the secret"),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("role IN ('read', 'pii:read', 'admin')", name="token_role_check"),
        schema="access",
    )


def downgrade() -> None:
    """Forgets all tokens."""
    op.drop_table("token", schema="access")
