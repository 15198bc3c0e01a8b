"""Homes that were erased belong to nobody

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_COMMENTS = {
    "membership": (
        "Whose a home is; the highest version wins.",
        "Whose a home is; the highest version wins. Nobody's: erased, for good.",
    ),
    "former": (
        "Where a customer's homes last went; counts only while it has none.",
        "Where a customer's homes last went (nowhere: erased); counts only while it has none.",
    ),
    "profile_copy": (
        "What a decision needs of a profile. The highest rev wins; verdicts of before a merge count until "
        "safe time passes merged_at.",
        "What a decision needs of a profile. The highest rev wins; verdicts of before a merge, without contact "
        "points, count until safe time passes merged_at.",
    ),
}


def upgrade() -> None:
    op.alter_column("membership", "customer_id", existing_type=sa.Uuid(), nullable=True, schema="triggers")
    op.alter_column("former", "into_id", existing_type=sa.Uuid(), nullable=True, schema="triggers")
    op.execute(
        """
        UPDATE triggers.profile_copy SET verdicts = convert_to(json_build_object(
          'consent', convert_from(verdicts, 'UTF8')::json -> 'consent',
          'shared', convert_from(verdicts, 'UTF8')::json -> 'shared')::text, 'UTF8')
        WHERE merged_into IS NOT NULL
        """
    )
    for table, (old, new) in _COMMENTS.items():
        op.create_table_comment(table, new, existing_comment=old, schema="triggers")


def downgrade() -> None:
    """What was erased becomes the tombstone of a customer that nobody else is: the columns must say something."""
    for table, (old, new) in _COMMENTS.items():
        op.create_table_comment(table, old, existing_comment=new, schema="triggers")
    op.execute("DELETE FROM triggers.former WHERE into_id IS NULL")
    op.execute(
        "UPDATE triggers.membership SET customer_id = gen_random_uuid(), shared = true WHERE customer_id IS NULL"
    )
    op.alter_column("former", "into_id", existing_type=sa.Uuid(), nullable=False, schema="triggers")
    op.alter_column("membership", "customer_id", existing_type=sa.Uuid(), nullable=False, schema="triggers")
