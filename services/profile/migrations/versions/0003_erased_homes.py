"""Homes that were erased belong to nobody; contacts can be found by home.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SCHEMA = "profile"
HOME = "A home's membership (the highest version wins) and its fragment; a door has no events."
MOVED = "Where a customer went; only who has no home left is looked up here."


def upgrade() -> None:
    op.alter_column("home", "customer_id", existing_type=sa.Uuid, nullable=True, schema=SCHEMA)
    op.alter_column("moved", "into_customer", existing_type=sa.Uuid, nullable=True, schema=SCHEMA)
    op.create_index("contact_home", "contact", ["home_id"], schema=SCHEMA)
    op.create_table_comment(
        "home",
        f"{HOME} Without a customer: erased, a tombstone that keeps its events from coming back.",
        existing_comment=HOME,
        schema=SCHEMA,
    )
    op.create_table_comment(
        "moved",
        "Where a customer went (nowhere: erased); only who has no home left is looked up here.",
        existing_comment=MOVED,
        schema=SCHEMA,
    )


def downgrade() -> None:
    """What was erased becomes the tombstone of a customer that nobody else is: the columns must say something."""
    op.create_table_comment("moved", MOVED, schema=SCHEMA)
    op.create_table_comment("home", HOME, schema=SCHEMA)
    op.drop_index("contact_home", table_name="contact", schema=SCHEMA)
    op.execute("DELETE FROM profile.moved WHERE into_customer IS NULL")
    op.execute("UPDATE profile.home SET customer_id = gen_random_uuid(), shared = true WHERE customer_id IS NULL")
    op.alter_column("moved", "into_customer", existing_type=sa.Uuid, nullable=False, schema=SCHEMA)
    op.alter_column("home", "customer_id", existing_type=sa.Uuid, nullable=False, schema=SCHEMA)
