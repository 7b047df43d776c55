"""Alembic's environment: migrations run on the connection that ``app.migrate`` opened."""

from alembic import context

from app import models  # noqa: F401 - fills the metadata
from app.db import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
