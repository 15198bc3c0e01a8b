"""At which hours a customer is about; and when a record may change although nothing happens.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SCHEMA = "profile"
TIME = sa.TIMESTAMP(timezone=True)


def upgrade() -> None:
    """Hours are counted from now on: what came before says them when its home is folded again."""
    op.add_column("home", sa.Column("rhythm", sa.JSON), schema=SCHEMA)
    op.create_table(
        "timer",
        sa.Column("customer_id", sa.Uuid, primary_key=True),
        sa.Column("next_at", TIME),
        sa.Column("passed", TIME),
        schema=SCHEMA,
        comment="When a record may change although nothing happens, and up to where it was made knowing what did not.",
    )
    op.create_index("timer_next", "timer", ["next_at"], schema=SCHEMA)


def downgrade() -> None:
    op.drop_table("timer", schema=SCHEMA)
    op.drop_column("home", "rhythm", schema=SCHEMA)
