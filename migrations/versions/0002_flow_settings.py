"""flow settings

Why: a flow's author decides how many of its runs go on at once, how long one may take, and what
happens when one goes wrong; versions keep what they were activated with.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002_flow_settings"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = ("flows", "flow_versions")


def upgrade() -> None:
    for table in TABLES:
        # The default of the database lets the release before this one go on writing rows.
        column = sa.Column("settings", sa.JSON(none_as_null=True), nullable=False,
                           server_default=sa.text("'{}'"))
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(column)


def downgrade() -> None:
    for table in TABLES:
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column("settings")
