"""Which declarations all records were made with.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SCHEMA = "profile"


def upgrade() -> None:
    """None yet: where something is declared, everybody is looked at once."""
    op.create_table(
        "declared",
        sa.Column("one_row", sa.Boolean, sa.CheckConstraint("one_row"), primary_key=True),
        sa.Column("fingerprint", sa.Text, nullable=False),
        schema=SCHEMA,
        comment="One row: the declarations of computed traits and classes that everybody was looked at for.",
    )


def downgrade() -> None:
    op.drop_table("declared", schema=SCHEMA)
