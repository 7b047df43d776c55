"""which secret stood where in a node's outputs

Why: pages draw the secret's name where an output holds ``***``, and a run of one node must not
take a masked value for the one that its source gave.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010_output_masks"
down_revision = "0009_external_secrets"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run_nodes", sa.Column("output_masks", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("run_nodes", schema=None) as batch_op:
        batch_op.drop_column("output_masks")
