"""a row of what its runs may reach for every environment

Why: without a row, an environment's runs reached what a fresh one allows, so deleting the row in
SQL widened their reach unnoticed. Rows are sealed, which a migration has no keys for: they are
added right after it, and this index makes sure that there is no second time.
"""

from alembic import op

revision = "0011_reach_of_all"
down_revision = "0010_output_masks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        op.f("ix_environment_reach_mac_key_id"), "environment_reach", ["mac_key_id"]
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_environment_reach_mac_key_id"), "environment_reach")
