"""Verdicts outlive merges

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("profile_copy", sa.Column("merged_at", sa.DateTime(timezone=True), nullable=True), schema="triggers")
    op.create_index(
        "profile_copy_merged",
        "profile_copy",
        ["merged_into"],
        unique=False,
        schema="triggers",
        postgresql_where=sa.text("merged_into IS NOT NULL"),
    )
    op.create_table_comment(
        "profile_copy",
        "What a decision needs of a profile. The highest rev wins; verdicts of before a merge count until "
        "safe time passes merged_at.",
        existing_comment="What a decision needs of a profile: consent, contact points, shared. The highest rev wins.",
        schema="triggers",
    )


def downgrade() -> None:
    op.create_table_comment(
        "profile_copy",
        "What a decision needs of a profile: consent, contact points, shared. The highest rev wins.",
        existing_comment=None,
        schema="triggers",
    )
    op.drop_index("profile_copy_merged", table_name="profile_copy", schema="triggers")
    op.drop_column("profile_copy", "merged_at", schema="triggers")
