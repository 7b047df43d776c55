"""``make bench``: start a real installation, measure, print one table, write build/bench.json."""

from __future__ import annotations

import argparse
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path

from bench import runs, values
from bench.figures import table
from bench.installation import helper, installed


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--runs", type=int, default=100, help="runs of each side")
    parser.add_argument("--values", type=int, default=3000, help="requests for a value")
    options = parser.parse_args()

    with installed() as installation, helper("bench.echo") as echo:
        assert echo.stdout is not None
        port = int(echo.stdout.readline())
        flow_id = runs.make_flow(installation, port)
        flow, bare = runs.measure(installation, flow_id, port, options.runs)
        rate = values.measure(installation, flow_id, options.values)

    print(
        table(
            [
                ("enqueue to finished", "p50 ms", "p95 ms", "runs"),
                ("flow of three nodes (fetch a secret, HTTP call, log)",
                 f"{flow.share(0.5):.1f}", f"{flow.share(0.95):.1f}", str(options.runs)),
                ("bare RQ job (decrypt, HTTP call)",
                 f"{bare.share(0.5):.1f}", f"{bare.share(0.95):.1f}", str(options.runs)),
                ("value endpoint, 8 TLS clients", f"{rate:.0f}/s", "", str(options.values)),
            ]
        )
    )
    report = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "flow_ms": {"p50": flow.share(0.5), "p95": flow.share(0.95),
                    "all": list(flow.milliseconds)},
        "bare_ms": {"p50": bare.share(0.5), "p95": bare.share(0.95),
                    "all": list(bare.milliseconds)},
        "value_requests_per_second": rate,
        "value_requests": options.values,
    }
    target = Path("build/bench.json")
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    print(f"Also in {target}.")


if __name__ == "__main__":
    main()
