"""credential marks

Why: somebody can say of a field that what looks like a credential in it is none.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008_credential_marks"
down_revision = "0007_environment_policies"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The default of the database lets the release before this one go on writing rows.
    column = sa.Column("credential_marks", sa.JSON(none_as_null=True), nullable=False,
                       server_default=sa.text("'[]'"))
    with op.batch_alter_table("flows", schema=None) as batch_op:
        batch_op.add_column(column)


def downgrade() -> None:
    with op.batch_alter_table("flows", schema=None) as batch_op:
        batch_op.drop_column("credential_marks")
