"""runs that the scheduler ended

Why: the runtime's processes count and trace runs that workers end; of those that the scheduler
ends (a lost worker, a deadline) they heard nothing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012_runs_ended"
down_revision = "0011_reach_of_all"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "runs_ended",
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_runs_ended")),
    )


def downgrade() -> None:
    op.drop_table("runs_ended")
