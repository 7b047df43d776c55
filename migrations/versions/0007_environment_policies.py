"""environment policies

Why: each environment says what it demands of the flows and secrets in it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007_environment_policies"
down_revision = "0006_notices"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The default of the database lets the release before this one go on writing rows.
    column = sa.Column("policies", sa.JSON(none_as_null=True), nullable=False,
                       server_default=sa.text("'{}'"))
    with op.batch_alter_table("environments", schema=None) as batch_op:
        batch_op.add_column(column)


def downgrade() -> None:
    with op.batch_alter_table("environments", schema=None) as batch_op:
        batch_op.drop_column("policies")
