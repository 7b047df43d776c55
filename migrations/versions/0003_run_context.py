"""run context

Why: what a run was started by and with is put under its seal, by a hash. Rows that are older have
none and stay good.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003_run_context"
down_revision = "0002_flow_settings"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("context_hash", sa.String(length=64), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.drop_column("context_hash")
