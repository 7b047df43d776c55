"""a hash of an environment's protection and policies, in its sealed row

Why: both stood in a row without a MAC, so an UPDATE turned them off unnoticed. The hash is filled
in right after the migration, which has no keys; as with 0011, there is no second time.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014_rules_sealed"
down_revision = "0013_last_change_of_flows"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("environment_reach") as batch:
        batch.add_column(sa.Column("rules_hash", sa.String(length=64), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("environment_reach") as batch:
        batch.drop_column("rules_hash")
