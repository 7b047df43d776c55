"""Every action that the audit knows, in one place."""

from __future__ import annotations

from enum import StrEnum


class Action(StrEnum):
    """What was done, or tried."""

    ACCESS_DENY = "access.deny"
    LOGIN = "login"
    LOGOUT = "logout"
    USER_CREATE = "user.create"
    USER_DISABLE = "user.disable"
    USER_ENABLE = "user.enable"
    USER_PASSWORD = "user.password"  # noqa: S105 - an action's name
    ROLE_GRANT = "role.grant"
    ROLE_REVOKE = "role.revoke"
    TOKEN_CREATE = "token.create"  # noqa: S105
    TOKEN_REVOKE = "token.revoke"  # noqa: S105
    SESSION_REVOKE = "session.revoke"
    SETUP_LINK_CREATE = "setup_link.create"
    SETUP_LINK_USE = "setup_link.use"
    SECRET_CREATE = "secret.create"  # noqa: S105
    SECRET_LIST = "secret.list"  # noqa: S105
    SECRET_READ = "secret.read"  # noqa: S105
    SECRET_REVEAL = "secret.reveal"  # noqa: S105
    SECRET_ROTATE = "secret.rotate"  # noqa: S105
    SECRET_DELETE = "secret.delete"  # noqa: S105
    SECRET_UPDATE = "secret.update"  # noqa: S105
    SECRET_RESTORE = "secret.restore"  # noqa: S105
    SECRET_PURGE = "secret.purge"  # noqa: S105
    SECRET_VERSION = "secret.version"  # noqa: S105
    SECRET_GRANT = "secret.grant"  # noqa: S105
    SECRET_USE = "secret.use"  # noqa: S105
    SECRET_VERIFY = "secret.verify"  # noqa: S105
    ENVIRONMENT_CREATE = "environment.create"
    ENVIRONMENT_CHANGE = "environment.change"
    SECRET_EXTERNAL = "secret.external"  # noqa: S105
    ENVIRONMENT_REACH = "environment.reach"
    FLOW_CREATE = "flow.create"
    FLOW_SAVE = "flow.save"
    FLOW_DELETE = "flow.delete"
    FLOW_ACTIVATE = "flow.activate"
    FLOW_DEACTIVATE = "flow.deactivate"
    FLOW_RESTORE = "flow.restore"
    FLOW_MARK = "flow.mark"
    FLOW_EXPORT = "flow.export"
    FLOW_IMPORT = "flow.import"
    RUN_START = "run.start"
    RUN_CLAIM = "run.claim"
    RUN_REJECT = "run.reject"
    RUN_CANCEL = "run.cancel"
    RUN_FINISH = "run.finish"
    RUN_REQUEUE = "run.requeue"
    KEY_STAGE = "key.stage"
    KEY_ACTIVATE = "key.activate"
    KEY_REWRAP = "key.rewrap"
    KEY_RETIRE = "key.retire"
    KEY_CHECK = "key.check"
    KEY_REPLACE = "key.replace"
    BACKUP = "backup"
    RESTORE = "restore"
    RUN_SKIP = "run.skip"
    TRIGGER_FAIL = "trigger.fail"
    NOTICE_SEND = "notice.send"
    LEAK_PREVENT = "leak.prevent"
    ENVIRONMENT_LIMITS = "environment.limits"
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    AUDIT_READ = "audit.read"
    AUDIT_EXPORT = "audit.export"
    AUDIT_PURGE = "audit.purge"
    WORKER_CODE = "worker.code"
    WORKER_KEY_ADD = "worker.key_add"
    WORKER_REVOKE = "worker.revoke"
    WORKER_ENROLL = "worker.enroll"
    WORKER_DENY = "worker.deny"
