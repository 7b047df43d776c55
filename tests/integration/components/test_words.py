"""The canvas and the server say the same about every wire that could be drawn."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from app.components.ports import DONE, START, PortType, check_edge, port_rules
from app.components.registry import registry

ROOT = Path(__file__).parents[3]
SCRIPT = """
import { readFileSync } from "node:fs";
import { Rules, fill } from "%s";
const { rules, pairs } = JSON.parse(readFileSync(0, "utf8"));
const table = new Rules(rules);
const say = ({ source, target, names }) => {
  const row = table.pair(source, target);
  return row ? `${fill(row.title, names)}. ${fill(row.reason, names)}` : null;
};
console.log(JSON.stringify(pairs.map(say)));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="node isn't installed")
def test_every_output_against_every_input_in_both_languages() -> None:
    described = {one["name"]: one for one in registry().describe()["items"]}
    outputs = [
        (component.title, port)
        for component in registry()
        for port in component.output_ports().values()
    ]
    pairs, said = [], []
    for component in registry():
        notes = {one["name"]: one["note"] for one in described[component.name]["inputs"]}
        for port in component.input_ports().values():
            for title, output in outputs:
                names = {
                    "source": f"{title} {{target}}.{output.name}",
                    "target": f"{component.title}.{port.name}",
                    "note": notes.get(port.name, ""),
                }
                found = check_edge("a", f"{title} {{target}}", output, "b", component.title, port)
                pairs.append({"source": output.type, "target": port.type, "names": names})
                said.append(found.message if found else None)
    assert any(said)
    assert None in said
    module = (ROOT / "static/js/canvas/state/rules.js").as_uri()
    run = subprocess.run(
        [str(shutil.which("node")), "--input-type=module", "-e", SCRIPT % module],
        input=json.dumps({"rules": port_rules(), "pairs": pairs}),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(run.stdout) == said


def test_order_ports_are_alike_everywhere() -> None:
    for component in registry():
        assert component.input_ports()["start"] is START
        assert component.output_ports()["done"] is DONE
        ways = [p for p in component.output_ports().values() if p.type is PortType.ORDER]
        # A Condition has a way for each outcome beside the one that all have.
        assert DONE in ways
        assert len(ways) == 1 or component.name == "control.condition"
