"""triggers

Why: schedules and webhooks start active versions; each time and each delivery once.
"""

import sqlalchemy as sa
from alembic import op

import app.db

revision = "0004_triggers"
down_revision = "0003_run_context"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "triggers",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("environment_id", sa.String(length=36), nullable=False),
        sa.Column("flow_id", sa.String(length=36), nullable=False),
        sa.Column("flow_version_id", sa.String(length=36), nullable=True),
        sa.Column("node", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("hook", sa.String(length=64), nullable=True),
        sa.Column("secret_id", sa.String(length=36), nullable=True),
        sa.Column("user_id", sa.String(length=36), nullable=True),
        sa.Column("token_id", sa.String(length=36), nullable=True),
        sa.Column("acts_for", sa.String(length=254), nullable=False),
        sa.Column("next_at", app.db.UtcDateTime(), nullable=True),
        sa.Column("last_at", app.db.UtcDateTime(), nullable=True),
        sa.Column("problem", sa.String(length=1000), nullable=True),
        sa.Column("created_at", app.db.UtcDateTime(), nullable=False),
        sa.Column("mac_key_id", sa.String(length=16), nullable=False),
        sa.Column("row_mac", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environments.id"],
            name=op.f("fk_triggers_environment_id_environments"),
        ),
        sa.ForeignKeyConstraint(
            ["flow_id"], ["flows.id"], name=op.f("fk_triggers_flow_id_flows")
        ),
        sa.ForeignKeyConstraint(
            ["flow_version_id"], ["flow_versions.id"],
            name=op.f("fk_triggers_flow_version_id_flow_versions"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_triggers")),
        sa.UniqueConstraint("flow_id", "node", name=op.f("uq_triggers_flow_id_node")),
        sa.UniqueConstraint("hook", name=op.f("uq_triggers_hook")),
    )
    with op.batch_alter_table("triggers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_triggers_next_at"), ["next_at"], unique=False)
    op.create_table(
        "hook_attempts",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("hook", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("at", app.db.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hook_attempts")),
    )
    with op.batch_alter_table("hook_attempts", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_hook_attempts_hook_at"), ["hook", "at"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_hook_attempts_address_at"), ["address", "at"], unique=False
        )
    op.create_table(
        "hook_deliveries",
        sa.Column("trigger_id", sa.String(length=36), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("expires_at", app.db.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("trigger_id", "digest", name=op.f("pk_hook_deliveries")),
    )
    with op.batch_alter_table("hook_deliveries", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_hook_deliveries_expires_at"), ["expires_at"], unique=False
        )
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("fired", sa.String(length=80), nullable=True))
        batch_op.create_unique_constraint(batch_op.f("uq_runs_fired"), ["fired"])
    with op.batch_alter_table("secret_uses", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("purpose", sa.String(length=8), nullable=False, server_default="fetch")
        )
    with op.batch_alter_table("secrets", schema=None) as batch_op:
        batch_op.add_column(sa.Column("verify_only", sa.Boolean(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("secrets", schema=None) as batch_op:
        batch_op.drop_column("verify_only")
    with op.batch_alter_table("secret_uses", schema=None) as batch_op:
        batch_op.drop_column("purpose")
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_runs_fired"), type_="unique")
        batch_op.drop_column("fired")
    op.drop_table("hook_deliveries")
    op.drop_table("hook_attempts")
    op.drop_table("triggers")
