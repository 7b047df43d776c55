"""first tables

Why: the first start of an installation needs its tables.
"""

import sqlalchemy as sa
from alembic import op

import app.db
from app.vault.search import create_search_index, drop_search_index

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_anchors",
        sa.Column("chain", sa.String(length=36), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=32), nullable=False),
        sa.Column("mac_key_id", sa.String(length=16), nullable=False),
        sa.Column("row_mac", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("chain", name=op.f("pk_audit_anchors")),
    )
    op.create_table(
        "audit_chains",
        sa.Column("name", sa.String(length=36), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=32), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_audit_chains")),
    )
    op.create_table(
        "audit_events",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("chain", sa.String(length=36), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", app.db.UtcDateTime(), nullable=False),
        sa.Column("environment_id", sa.String(length=36), nullable=True),
        sa.Column("actor_kind", sa.String(length=16), nullable=False),
        sa.Column("actor_id", sa.String(length=36), nullable=True),
        sa.Column("actor_name", sa.String(length=254), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("secret_id", sa.String(length=36), nullable=True),
        sa.Column("flow_id", sa.String(length=36), nullable=True),
        sa.Column("run_id", sa.String(length=36), nullable=True),
        sa.Column("node", sa.String(length=128), nullable=True),
        sa.Column("target", sa.String(length=254), nullable=True),
        sa.Column("request_id", sa.String(length=64), nullable=True),
        sa.Column("address", sa.String(length=64), nullable=True),
        sa.Column("data", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_events")),
        sa.UniqueConstraint("chain", "seq", name=op.f("uq_audit_events_chain_seq")),
    )
    with op.batch_alter_table("audit_events", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_audit_events_environment_id_at"), ["environment_id", "at"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_audit_events_secret_id_at"), ["secret_id", "at"], unique=False
        )

    op.create_table(
        "environments",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("protected", sa.Boolean(), nullable=False),
        sa.Column("created_at", app.db.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_environments")),
        sa.UniqueConstraint("name", name=op.f("uq_environments_name")),
    )
    op.create_table(
        "freezes",
        sa.Column("place", sa.String(length=36), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("by", sa.String(length=254), nullable=False),
        sa.Column("at", app.db.UtcDateTime(), nullable=False),
        sa.Column("mac_key_id", sa.String(length=16), nullable=False),
        sa.Column("row_mac", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_freezes")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("headers", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("expires_at", app.db.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idempotency_keys")),
    )
    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_idempotency_keys_expires_at"), ["expires_at"], unique=False
        )

    op.create_table(
        "installation",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", app.db.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )
    op.create_table(
        "keks",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("parameters", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created_at", app.db.UtcDateTime(), nullable=False),
        sa.Column("changed_at", app.db.UtcDateTime(), nullable=False),
        sa.Column("mac_key_id", sa.String(length=16), nullable=False),
        sa.Column("row_mac", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keks")),
    )
    with op.batch_alter_table("keks", schema=None) as batch_op:
        batch_op.create_index(
            "uq_keks_active",
            ["state"],
            unique=True,
            sqlite_where=sa.text("state = 'active'"),
            postgresql_where=sa.text("state = 'active'"),
        )

    op.create_table(
        "login_attempts",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("at", app.db.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_attempts")),
    )
    with op.batch_alter_table("login_attempts", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_login_attempts_account_at"), ["account", "at"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_login_attempts_address_at"), ["address", "at"], unique=False
        )

    op.create_table(
        "secret_uses",
        sa.Column("flow_id", sa.String(length=36), nullable=False),
        sa.Column("scope", sa.String(length=8), nullable=False),
        sa.Column("node", sa.String(length=128), nullable=False),
        sa.Column("environment_id", sa.String(length=36), nullable=False),
        sa.Column("flow_name", sa.String(length=200), nullable=False),
        sa.Column("secret_name", sa.String(length=128), nullable=False),
        sa.Column("secret_id", sa.String(length=36), nullable=True),
        sa.Column("pin", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("flow_id", "scope", "node", name=op.f("pk_secret_uses")),
    )
    with op.batch_alter_table("secret_uses", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_secret_uses_environment_id_secret_name"),
            ["environment_id", "secret_name"],
            unique=False,
        )
        batch_op.create_index(batch_op.f("ix_secret_uses_secret_id"), ["secret_id"], unique=False)

    op.create_table(
        "setup_links",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", app.db.UtcDateTime(), nullable=False),
        sa.Column("expires_at", app.db.UtcDateTime(), nullable=False),
        sa.Column("used_at", app.db.UtcDateTime(), nullable=True),
        sa.Column("mac_key_id", sa.String(length=16), nullable=False),
        sa.Column("row_mac", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_setup_links")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_setup_links_token_hash")),
    )
    op.create_table(
        "spent_tokens",
        sa.Column("jti", sa.String(length=64), nullable=False),
        sa.Column("expires_at", app.db.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("jti", name=op.f("pk_spent_tokens")),
    )
    with op.batch_alter_table("spent_tokens", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_spent_tokens_expires_at"), ["expires_at"], unique=False
        )

    op.create_table(
        "users",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("disabled_at", app.db.UtcDateTime(), nullable=True),
        sa.Column("created_at", app.db.UtcDateTime(), nullable=False),
        sa.Column("mac_key_id", sa.String(length=16), nullable=False),
        sa.Column("row_mac", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
    )
    op.create_table(
        "value_uses",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("claim", sa.Integer(), nullable=False),
        sa.Column("node", sa.String(length=128), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("item", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=8), nullable=False),
        sa.Column("secret_id", sa.String(length=36), nullable=False),
        sa.Column("at", app.db.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_value_uses")),
        sa.UniqueConstraint(
            "run_id",
            "claim",
            "node",
            "attempt",
            "item",
            "purpose",
            "secret_id",
            name="uq_value_uses_use",
        ),
    )
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("environment_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created_at", app.db.UtcDateTime(), nullable=False),
        sa.Column("expires_at", app.db.UtcDateTime(), nullable=True),
        sa.Column("last_used_at", app.db.UtcDateTime(), nullable=True),
        sa.Column("revoked_at", app.db.UtcDateTime(), nullable=True),
        sa.Column("mac_key_id", sa.String(length=16), nullable=False),
        sa.Column("row_mac", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["environment_id"],
            ["environments.id"],
            name=op.f("fk_api_tokens_environment_id_environments"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_api_tokens_user_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_tokens_token_hash")),
    )
    with op.batch_alter_table("api_tokens", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_api_tokens_user_id"), ["user_id"], unique=False)

    op.create_table(
        "flows",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("environment_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("description", sa.String(length=2000), nullable=False),
        sa.Column("graph", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("active_version", sa.Integer(), nullable=True),
        sa.Column("created_at", app.db.UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=254), nullable=False),
        sa.Column("updated_at", app.db.UtcDateTime(), nullable=False),
        sa.Column("updated_by", sa.String(length=254), nullable=False),
        sa.Column("deleted_at", app.db.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["environment_id"],
            ["environments.id"],
            name=op.f("fk_flows_environment_id_environments"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flows")),
    )
    with op.batch_alter_table("flows", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_flows_environment_id_name"), ["environment_id", "name"], unique=False
        )

    op.create_table(
        "login_sessions",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("csrf_secret", sa.String(length=64), nullable=False),
        sa.Column("created_at", app.db.UtcDateTime(), nullable=False),
        sa.Column("authenticated_at", app.db.UtcDateTime(), nullable=False),
        sa.Column("last_seen_at", app.db.UtcDateTime(), nullable=False),
        sa.Column("revoked_at", app.db.UtcDateTime(), nullable=True),
        sa.Column("address", sa.String(length=64), nullable=True),
        sa.Column("user_agent", sa.String(length=200), nullable=False),
        sa.Column("mac_key_id", sa.String(length=16), nullable=False),
        sa.Column("row_mac", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_login_sessions_user_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_login_sessions_token_hash")),
    )
    with op.batch_alter_table("login_sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_login_sessions_user_id"), ["user_id"], unique=False)

    op.create_table(
        "role_grants",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("environment_id", sa.String(length=36), nullable=True),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("granted_by", sa.String(length=36), nullable=True),
        sa.Column("created_at", app.db.UtcDateTime(), nullable=False),
        sa.Column("mac_key_id", sa.String(length=16), nullable=False),
        sa.Column("row_mac", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["environment_id"],
            ["environments.id"],
            name=op.f("fk_role_grants_environment_id_environments"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_role_grants_user_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_grants")),
    )
    with op.batch_alter_table("role_grants", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_role_grants_user_id"), ["user_id"], unique=False)

    op.create_table(
        "secrets",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("environment_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("description", sa.String(length=2000), nullable=False),
        sa.Column("tags", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("owner", sa.String(length=254), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("active_version", sa.Integer(), nullable=False),
        sa.Column("latest_version", sa.Integer(), nullable=False),
        sa.Column("search_id", sa.BigInteger(), nullable=False),
        sa.Column("allowed_hosts", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("allowed_flows", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("rotation_period_days", sa.Integer(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", app.db.UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=254), nullable=False),
        sa.Column("updated_at", app.db.UtcDateTime(), nullable=False),
        sa.Column("updated_by", sa.String(length=254), nullable=False),
        sa.Column("last_change", sa.String(length=200), nullable=False),
        sa.Column("rotated_at", app.db.UtcDateTime(), nullable=False),
        sa.Column("due_at", app.db.UtcDateTime(), nullable=True),
        sa.Column("last_accessed_at", app.db.UtcDateTime(), nullable=True),
        sa.Column("deleted_at", app.db.UtcDateTime(), nullable=True),
        sa.Column("purge_at", app.db.UtcDateTime(), nullable=True),
        sa.Column("mac_key_id", sa.String(length=16), nullable=False),
        sa.Column("row_mac", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["environment_id"],
            ["environments.id"],
            name=op.f("fk_secrets_environment_id_environments"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_secrets")),
        sa.UniqueConstraint("environment_id", "name", name=op.f("uq_secrets_environment_id_name")),
        sa.UniqueConstraint("search_id", name=op.f("uq_secrets_search_id")),
    )
    with op.batch_alter_table("secrets", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_secrets_environment_id_due_at"),
            ["environment_id", "due_at"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_secrets_environment_id_id"), ["environment_id", "id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_secrets_state_purge_at"), ["state", "purge_at"], unique=False
        )

    op.create_table(
        "workers",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("environment_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("revoked_at", app.db.UtcDateTime(), nullable=True),
        sa.Column("created_at", app.db.UtcDateTime(), nullable=False),
        sa.Column("last_seen_at", app.db.UtcDateTime(), nullable=True),
        sa.Column("reported", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("mac_key_id", sa.String(length=16), nullable=False),
        sa.Column("row_mac", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["environment_id"],
            ["environments.id"],
            name=op.f("fk_workers_environment_id_environments"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )
    op.create_table(
        "enrolment_codes",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("worker_id", sa.String(length=36), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("expires_at", app.db.UtcDateTime(), nullable=False),
        sa.Column("used_at", app.db.UtcDateTime(), nullable=True),
        sa.Column("mac_key_id", sa.String(length=16), nullable=False),
        sa.Column("row_mac", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["worker_id"], ["workers.id"], name=op.f("fk_enrolment_codes_worker_id_workers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrolment_codes")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_enrolment_codes_code_hash")),
    )
    op.create_table(
        "flow_versions",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("flow_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("graph", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("bindings", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("note", sa.String(length=1000), nullable=False),
        sa.Column("created_at", app.db.UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=254), nullable=False),
        sa.Column("mac_key_id", sa.String(length=16), nullable=False),
        sa.Column("row_mac", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["flow_id"], ["flows.id"], name=op.f("fk_flow_versions_flow_id_flows")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flow_versions")),
    )
    with op.batch_alter_table("flow_versions", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_flow_versions_flow_id_content_hash"),
            ["flow_id", "content_hash"],
            unique=False,
        )

    op.create_table(
        "grants",
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("claim", sa.Integer(), nullable=False),
        sa.Column("node", sa.String(length=128), nullable=False),
        sa.Column("secret_id", sa.String(length=36), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("environment_id", sa.String(length=36), nullable=False),
        sa.Column("created_at", app.db.UtcDateTime(), nullable=False),
        sa.Column("mac_key_id", sa.String(length=16), nullable=False),
        sa.Column("row_mac", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["secret_id"], ["secrets.id"], name=op.f("fk_grants_secret_id_secrets")
        ),
        sa.PrimaryKeyConstraint("run_id", "claim", "node", name=op.f("pk_grants")),
    )
    with op.batch_alter_table("grants", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_grants_secret_id"), ["secret_id"], unique=False)

    op.create_table(
        "secret_blobs",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("secret_id", sa.String(length=36), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("format", sa.Integer(), nullable=False),
        sa.Column("algorithm", sa.String(length=16), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("kek_id", sa.String(length=64), nullable=False),
        sa.Column("wrapped_dek", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["secret_id"], ["secrets.id"], name=op.f("fk_secret_blobs_secret_id_secrets")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_secret_blobs")),
    )
    with op.batch_alter_table("secret_blobs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_secret_blobs_kek_id"), ["kek_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_secret_blobs_secret_id"), ["secret_id"], unique=False)

    op.create_table(
        "secret_tags",
        sa.Column("secret_id", sa.String(length=36), nullable=False),
        sa.Column("tag", sa.String(length=64), nullable=False),
        sa.Column("environment_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(
            ["secret_id"], ["secrets.id"], name=op.f("fk_secret_tags_secret_id_secrets")
        ),
        sa.PrimaryKeyConstraint("secret_id", "tag", name=op.f("pk_secret_tags")),
    )
    with op.batch_alter_table("secret_tags", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_secret_tags_environment_id_tag_name"),
            ["environment_id", "tag", "name"],
            unique=False,
        )

    op.create_table(
        "secret_versions",
        sa.Column("secret_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("blob_id", sa.String(length=36), nullable=False),
        sa.Column("weak", sa.Boolean(), nullable=False),
        sa.Column("format", sa.String(length=16), nullable=False),
        sa.Column("expires_at", app.db.UtcDateTime(), nullable=True),
        sa.Column("created_at", app.db.UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=254), nullable=False),
        sa.Column("last_accessed_at", app.db.UtcDateTime(), nullable=True),
        sa.Column("mac_key_id", sa.String(length=16), nullable=False),
        sa.Column("row_mac", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["secret_id"], ["secrets.id"], name=op.f("fk_secret_versions_secret_id_secrets")
        ),
        sa.PrimaryKeyConstraint("secret_id", "number", name=op.f("pk_secret_versions")),
    )
    op.create_table(
        "worker_keys",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("worker_id", sa.String(length=36), nullable=False),
        sa.Column("public_key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("revoked_at", app.db.UtcDateTime(), nullable=True),
        sa.Column("created_at", app.db.UtcDateTime(), nullable=False),
        sa.Column("mac_key_id", sa.String(length=16), nullable=False),
        sa.Column("row_mac", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["worker_id"], ["workers.id"], name=op.f("fk_worker_keys_worker_id_workers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker_keys")),
    )
    with op.batch_alter_table("worker_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_worker_keys_worker_id"), ["worker_id"], unique=False)

    op.create_table(
        "runs",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("environment_id", sa.String(length=36), nullable=False),
        sa.Column("flow_id", sa.String(length=36), nullable=False),
        sa.Column("flow_version_id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=True),
        sa.Column("token_id", sa.String(length=36), nullable=True),
        sa.Column("trigger", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("inputs", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("problems", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("last_seq", sa.Integer(), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("created_at", app.db.UtcDateTime(), nullable=False),
        sa.Column("enqueued_at", app.db.UtcDateTime(), nullable=False),
        sa.Column("started_at", app.db.UtcDateTime(), nullable=True),
        sa.Column("finished_at", app.db.UtcDateTime(), nullable=True),
        sa.Column("deadline", app.db.UtcDateTime(), nullable=True),
        sa.Column("lease_expires_at", app.db.UtcDateTime(), nullable=True),
        sa.Column("mac_key_id", sa.String(length=16), nullable=False),
        sa.Column("row_mac", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["environment_id"],
            ["environments.id"],
            name=op.f("fk_runs_environment_id_environments"),
        ),
        sa.ForeignKeyConstraint(["flow_id"], ["flows.id"], name=op.f("fk_runs_flow_id_flows")),
        sa.ForeignKeyConstraint(
            ["flow_version_id"],
            ["flow_versions.id"],
            name=op.f("fk_runs_flow_version_id_flow_versions"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_runs_environment_id_id"), ["environment_id", "id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_runs_flow_id_id"), ["flow_id", "id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_runs_state_lease_expires_at"),
            ["state", "lease_expires_at"],
            unique=False,
        )

    op.create_table(
        "run_claims",
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kid", sa.String(length=36), nullable=False),
        sa.Column("public_key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("worker_id", sa.String(length=36), nullable=False),
        sa.Column("worker_key_id", sa.String(length=36), nullable=False),
        sa.Column("created_at", app.db.UtcDateTime(), nullable=False),
        sa.Column("mac_key_id", sa.String(length=16), nullable=False),
        sa.Column("row_mac", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_run_claims_run_id_runs")),
        sa.ForeignKeyConstraint(
            ["worker_id"], ["workers.id"], name=op.f("fk_run_claims_worker_id_workers")
        ),
        sa.ForeignKeyConstraint(
            ["worker_key_id"],
            ["worker_keys.id"],
            name=op.f("fk_run_claims_worker_key_id_worker_keys"),
        ),
        sa.PrimaryKeyConstraint("run_id", "number", name=op.f("pk_run_claims")),
        sa.UniqueConstraint("kid", name=op.f("uq_run_claims_kid")),
    )
    op.create_table(
        "run_events",
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", app.db.UtcDateTime(), nullable=False),
        sa.Column("node", sa.String(length=128), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("data", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("masks", sa.JSON(none_as_null=True), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_run_events_run_id_runs")),
        sa.PrimaryKeyConstraint("run_id", "seq", name=op.f("pk_run_events")),
    )
    op.create_table(
        "run_nodes",
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("node", sa.String(length=128), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("started_at", app.db.UtcDateTime(), nullable=True),
        sa.Column("finished_at", app.db.UtcDateTime(), nullable=True),
        sa.Column("outputs", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("problem", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_run_nodes_run_id_runs")),
        sa.PrimaryKeyConstraint("run_id", "node", name=op.f("pk_run_nodes")),
    )
    create_search_index(op.get_bind())


def downgrade() -> None:
    drop_search_index(op.get_bind())
    op.drop_table("run_nodes")
    op.drop_table("run_events")
    op.drop_table("run_claims")
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_runs_state_lease_expires_at"))
        batch_op.drop_index(batch_op.f("ix_runs_flow_id_id"))
        batch_op.drop_index(batch_op.f("ix_runs_environment_id_id"))

    op.drop_table("runs")
    with op.batch_alter_table("worker_keys", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_worker_keys_worker_id"))

    op.drop_table("worker_keys")
    op.drop_table("secret_versions")
    with op.batch_alter_table("secret_tags", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_secret_tags_environment_id_tag_name"))

    op.drop_table("secret_tags")
    with op.batch_alter_table("secret_blobs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_secret_blobs_secret_id"))
        batch_op.drop_index(batch_op.f("ix_secret_blobs_kek_id"))

    op.drop_table("secret_blobs")
    with op.batch_alter_table("grants", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_grants_secret_id"))

    op.drop_table("grants")
    with op.batch_alter_table("flow_versions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_flow_versions_flow_id_content_hash"))

    op.drop_table("flow_versions")
    op.drop_table("enrolment_codes")
    op.drop_table("workers")
    with op.batch_alter_table("secrets", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_secrets_state_purge_at"))
        batch_op.drop_index(batch_op.f("ix_secrets_environment_id_id"))
        batch_op.drop_index(batch_op.f("ix_secrets_environment_id_due_at"))

    op.drop_table("secrets")
    with op.batch_alter_table("role_grants", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_role_grants_user_id"))

    op.drop_table("role_grants")
    with op.batch_alter_table("login_sessions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_login_sessions_user_id"))

    op.drop_table("login_sessions")
    with op.batch_alter_table("flows", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_flows_environment_id_name"))

    op.drop_table("flows")
    with op.batch_alter_table("api_tokens", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_api_tokens_user_id"))

    op.drop_table("api_tokens")
    op.drop_table("value_uses")
    op.drop_table("users")
    with op.batch_alter_table("spent_tokens", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_spent_tokens_expires_at"))

    op.drop_table("spent_tokens")
    op.drop_table("setup_links")
    with op.batch_alter_table("secret_uses", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_secret_uses_secret_id"))
        batch_op.drop_index(batch_op.f("ix_secret_uses_environment_id_secret_name"))

    op.drop_table("secret_uses")
    with op.batch_alter_table("login_attempts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_login_attempts_address_at"))
        batch_op.drop_index(batch_op.f("ix_login_attempts_account_at"))

    op.drop_table("login_attempts")
    with op.batch_alter_table("keks", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_keks_active",
            sqlite_where=sa.text("state = 'active'"),
            postgresql_where=sa.text("state = 'active'"),
        )

    op.drop_table("keks")
    op.drop_table("installation")
    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_idempotency_keys_expires_at"))

    op.drop_table("idempotency_keys")
    op.drop_table("freezes")
    op.drop_table("environments")
    with op.batch_alter_table("audit_events", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_audit_events_secret_id_at"))
        batch_op.drop_index(batch_op.f("ix_audit_events_environment_id_at"))

    op.drop_table("audit_events")
    op.drop_table("audit_chains")
    op.drop_table("audit_anchors")
