"""run limits

Why: an environment says how many of its runs wait and go on at once, and how long they are kept;
a run that waits for a place says so.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005_run_limits"
down_revision = "0004_triggers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("environments", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("queued_limit", sa.Integer(), nullable=False, server_default="10000")
        )
        batch_op.add_column(sa.Column("running_limit", sa.Integer(), nullable=True))
        batch_op.add_column(
            sa.Column("retention_days", sa.Integer(), nullable=False, server_default="30")
        )
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("held", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        batch_op.add_column(
            sa.Column("stored_bytes", sa.BigInteger(), nullable=False, server_default="0")
        )


def downgrade() -> None:
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.drop_column("stored_bytes")
        batch_op.drop_column("held")
    with op.batch_alter_table("environments", schema=None) as batch_op:
        batch_op.drop_column("retention_days")
        batch_op.drop_column("running_limit")
        batch_op.drop_column("queued_limit")
