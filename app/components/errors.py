"""How a component says that its node can't go on."""

from __future__ import annotations

from app.components.problems import Problem, Remedy


class NodeError(Exception):
    """The node failed for a reason that a user can act on.

    :param code: stable snake_case name.
    :param message: a sentence: what happened, to what, what to do. Never quotes a secret.
    :param retryable: whether trying the same again may help (a timeout, a refused connection).
    :param remedy: the next step as a button, where there is one.
    """

    def __init__(
        self, code: str, message: str, *, retryable: bool = False, remedy: Remedy | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable
        self.remedy = remedy

    def to_problem(self, node: str, *, port: str | None = None) -> Problem:
        """Return the failure as a finding on ``node``."""
        return Problem(self.code, "error", self.message, node=node, port=port, remedy=self.remedy)


class NodeTimeout(NodeError):
    """The node's own time limit passed. Trying again may help."""

    def __init__(self, message: str, *, code: str = "node_timeout") -> None:
        super().__init__(code, message, retryable=True)


class NodeCancelled(Exception):
    """The run was cancelled while the node worked. Not a failure; components let it pass."""
