"""Nodes made with another version of their component: what is said of them."""

from __future__ import annotations

from app.components.problems import Problem, Remedy
from app.components.registry import Registry
from app.components.upgrades import can_upgrade
from app.flows.graph import Node
from app.flows.wires import label_of


def version_problem(node: Node, registry: Registry) -> Problem | None:
    """Return the finding about a node's version; None for the current one, and for a component
    that isn't here at all."""
    standing = registry.standing(node.component, node.version)
    if standing in ("current", "missing"):
        return None
    component = registry.get(node.component)
    label, title = label_of(node, registry), component.title
    if standing == "newer":
        return Problem(
            "component_newer", "error",
            f"{label} was made with version {node.version} of {title}, and version "
            f"{component.version} is installed here. Install the package that has it.",
            node=node.id,
        )
    remedy, news = None, ""
    if can_upgrade(component, node.version):
        remedy = Remedy("upgrade_node", "Upgrade the node", {"target": node.id})
        steps = range(node.version, component.version)
        news = " ".join(component.upgrades[step].says for step in steps)
    if standing == "older":
        return Problem(
            "component_upgradable", "warning",
            f"{label} runs as version {node.version} of {title}, with which it was made. Version "
            f"{component.version} is installed too. {news}".strip(),
            node=node.id, remedy=remedy,
        )
    how = "Upgrade the node." if remedy else "Replace the node."
    return Problem(
        "component_outdated", "error",
        f"{label} was made with version {node.version} of {title}, which version "
        f"{component.version}, installed here, doesn't run any more. "
        f"{' '.join(filter(None, (news, how)))}",
        node=node.id,
        remedy=remedy or Remedy("replace_node", "Replace the node", {"component": node.component}),
    )
