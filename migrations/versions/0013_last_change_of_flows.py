"""last change of flows

Why: who saves an older revision is refused and told by whom the flow was changed, but not what.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013_last_change_of_flows"
down_revision = "0012_runs_ended"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("flows") as batch:
        batch.add_column(
            sa.Column("last_change", sa.String(length=500), nullable=False, server_default="")
        )


def downgrade() -> None:
    with op.batch_alter_table("flows") as batch:
        batch.drop_column("last_change")
