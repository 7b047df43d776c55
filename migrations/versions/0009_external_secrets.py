"""external secret managers

Why: an environment says what its runs may reach (private networks, secrets of its workers), and
secrets that Tacit doesn't store have a place of use to be found by.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009_external_secrets"
down_revision = "0008_credential_marks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "environment_reach",
        sa.Column("environment_id", sa.String(length=36), nullable=False),
        sa.Column("allow_private", sa.Boolean(), nullable=False),
        sa.Column("worker_secrets", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("mac_key_id", sa.String(length=16), nullable=False),
        sa.Column("row_mac", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["environment_id"],
            ["environments.id"],
            name=op.f("fk_environment_reach_environment_id_environments"),
        ),
        sa.PrimaryKeyConstraint("environment_id", name=op.f("pk_environment_reach")),
    )
    op.create_table(
        "external_uses",
        sa.Column("flow_id", sa.String(length=36), nullable=False),
        sa.Column("scope", sa.String(length=8), nullable=False),
        sa.Column("node", sa.String(length=128), nullable=False),
        sa.Column("environment_id", sa.String(length=36), nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("reference", sa.String(length=2048), nullable=False),
        sa.Column("version", sa.String(length=256), nullable=False),
        sa.ForeignKeyConstraint(
            ["environment_id"],
            ["environments.id"],
            name=op.f("fk_external_uses_environment_id_environments"),
        ),
        sa.ForeignKeyConstraint(
            ["flow_id"], ["flows.id"], name=op.f("fk_external_uses_flow_id_flows")
        ),
        sa.PrimaryKeyConstraint("flow_id", "scope", "node", name=op.f("pk_external_uses")),
    )
    with op.batch_alter_table("external_uses", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_external_uses_environment_id_provider_reference"),
            ["environment_id", "provider", "reference"],
            unique=False,
        )


def downgrade() -> None:
    with op.batch_alter_table("external_uses", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_external_uses_environment_id_provider_reference"))
    op.drop_table("external_uses")
    op.drop_table("environment_reach")
