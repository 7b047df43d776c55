"""notices

Why: a flow can name whom to tell when a run fails; what is to be told waits in a row of its own.
"""

import sqlalchemy as sa
from alembic import op

import app.db

revision = "0006_notices"
down_revision = "0005_run_limits"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notices",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("flow_id", sa.String(length=36), nullable=False),
        sa.Column("environment_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("target", sa.String(length=2000), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", app.db.UtcDateTime(), nullable=True),
        sa.Column("created_at", app.db.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
    )
    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_notices_next_at"), ["next_at"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_notices_flow_id_created_at"), ["flow_id", "created_at"], unique=False
        )


def downgrade() -> None:
    op.drop_table("notices")
