"""The services of the vault under one name; each module beside this one holds a family."""

from __future__ import annotations

from app.vault.policy import NewSecret
from app.vault.reading import (
    Access,
    DueCounts,
    due_counts,
    find_by_name,
    get_secret,
    get_version,
    list_accesses,
    list_secrets,
    list_versions,
)
from app.vault.uses import Usage, usage_of
from app.vault.versions import (
    activate_version,
    destroy_version,
    disable_version,
    enable_version,
)
from app.vault.views import SecretView, VersionView
from app.vault.writing import (
    UNSET,
    SecretChange,
    create_secret,
    delete_secret,
    describe_secret,
    restore_secret,
    rotate_secret,
)

__all__ = [
    "UNSET",
    "Access",
    "DueCounts",
    "NewSecret",
    "SecretChange",
    "SecretView",
    "Usage",
    "VersionView",
    "activate_version",
    "create_secret",
    "delete_secret",
    "describe_secret",
    "destroy_version",
    "disable_version",
    "due_counts",
    "enable_version",
    "find_by_name",
    "get_secret",
    "get_version",
    "list_accesses",
    "list_secrets",
    "list_versions",
    "restore_secret",
    "rotate_secret",
    "usage_of",
]
