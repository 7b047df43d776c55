"""``make bench``: start a real installation, measure, print what must hold, write build/bench.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from bench import canvas, crypto, lists, masking, nodes, runs, steps, throughput, values
from bench.figures import Requirement, share_lines, table
from bench.home import home
from bench.installation import helper, installed

LIST_TIMES = 50
CRYPTO_TIMES = 2000
STEP_TIMES = 500


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--runs", type=int, default=100, help="runs of each kind")
    parser.add_argument("--values", type=int, default=3000, help="requests for a value")
    parser.add_argument("--secrets", type=int, default=100_000, help="secrets to list among")
    options = parser.parse_args()
    load = os.getloadavg()[0]

    with installed() as installation, helper("bench.echo") as echo:
        assert echo.stdout is not None
        port = int(echo.stdout.readline())
        flow_id = runs.make_flow(installation, port)
        flow, asked, bare = runs.measure(installation, flow_id, port, options.runs)
        flow_rate, bare_rate = throughput.measure(installation, flow_id, port, options.runs)
        node = nodes.measure(installation)
        rate = values.measure(installation, flow_id, options.values)
        drawn = canvas.measure(installation)
    with home() as place:
        cpu = crypto.measure(place, CRYPTO_TIMES)
        taken = steps.measure(place, STEP_TIMES)
        answers = lists.measure(place, options.secrets, LIST_TIMES)

    print(
        table(
            [
                ("enqueue to finished", "p50 ms", "p95 ms", "p99 ms", "per second"),
                ("flow of three nodes (fetch a secret, HTTP call, log)",
                 *_shares(flow), f"{flow_rate:.0f} by 2 workers"),
                ("the same, from the API's acceptance", *_shares(asked), ""),
                ("bare RQ job, imports preloaded (decrypt, HTTP call)",
                 *_shares(bare), f"{bare_rate:.0f} by 2 workers"),
                ("value endpoint, 8 TLS clients", *_shares(rate), f"{rate.per_second:.0f}"),
                *(
                    (f"list of {options.secrets:,} secrets: {answer.question}",
                     *_shares(answer), "")
                    for answer in answers
                ),
            ]
        )
    )
    print("\nA run of the flow by step, medians of elapsed time:")
    print(share_lines(flow.steps))
    masked = masking.measure()
    print(f"\nCPU of masking:\n{masked.lines()}")
    print("\n" + "\n".join(drawn.lines()))
    print("\nA value, processor time by step (one caller, in process, without TLS):")
    print(share_lines(taken))
    print("\nProcessor time of its cryptography:")
    print(share_lines(cpu))
    print("\nMemory of an idle tacit up, MiB of PSS: " + ", ".join(
        f"{name} {size:.0f}" for name, size in installation.memory.items()) + ".")
    must = [
        Requirement("value endpoint, requests a second", rate.per_second, 700, most=False),
        Requirement("value endpoint, p99", rate.share(0.99), 60, " ms"),
        Requirement("cryptography of a value", sum(cpu.values()), 0.5, " ms"),
        Requirement(f"lists of {options.secrets:,} secrets, p95",
                    max(answer.share(0.95) for answer in answers), 50, " ms"),
        Requirement("run, p50 beside the bare job", flow.share(0.5) / bare.share(0.5), 1.1, "×"),
        Requirement("run, p95 beside the bare job", flow.share(0.95) / bare.share(0.95), 1.25, "×"),
        Requirement("runs a second, 2 workers, beside the bare job", flow_rate / bare_rate, 0.7,
                    "×", most=False),
        Requirement("a node of a line", node.milliseconds, 0.2, " ms"),
        Requirement("stored bytes a node, long beside short line", node.growth, 1.1, "×"),
        Requirement("memory of an idle tacit up", sum(installation.memory.values()), 300, " MiB"),
        Requirement("tacit up, from an empty home to ready", installation.ready, 5, " s"),
        *drawn.requirements(),
    ]
    print("\n" + table([("must hold", "measured", "bound", ""), *(one.row() for one in must)]))
    print(f"\nThe machine's load when this began: {load:.1f} on {os.cpu_count()} cores.")
    report = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(),
                    "load_at_begin": load},
        "must_hold": [{**asdict(one), "holds": one.holds} for one in must],
        "flow_ms": {"p50": flow.share(0.5), "p95": flow.share(0.95),
                    "by_step": dict(flow.steps), "all": list(flow.milliseconds)},
        "flow_from_acceptance_ms": {"p50": asked.share(0.5), "p95": asked.share(0.95),
                                    "all": list(asked.milliseconds)},
        "bare_ms": {"p50": bare.share(0.5), "p95": bare.share(0.95),
                    "all": list(bare.milliseconds)},
        "per_second_by_two_workers": {"flow": flow_rate, "bare": bare_rate},
        "node": {**asdict(node), "growth": node.growth},
        "value_requests_per_second": rate.per_second,
        "value_requests": options.values,
        "value_ms": {"p50": rate.share(0.5), "p95": rate.share(0.95), "p99": rate.share(0.99)},
        "canvas_ms": asdict(drawn),
        "value_step_cpu_ms": taken,
        "crypto_cpu_ms": cpu,
        "masking": {
            **{f"{one.name}, {one.secrets} secrets": {
                "bytes_per_second": one.bytes_per_second, "lines_per_second": one.lines_per_second,
            } for one in masked.speeds},
            "build_ms": masked.build_ms,
        },
        "memory_mib": installation.memory,
        "ready_seconds": installation.ready,
        "secrets": options.secrets,
        "list_ms": {
            answer.question: {"p50": answer.share(0.5), "p95": answer.share(0.95),
                              "all": answer.milliseconds, "cpu": answer.cpu}
            for answer in answers
        },
    }
    target = Path("build/bench.json")
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    print(f"Also in {target}.")


def _shares(measured: runs.Latency | values.Rate | lists.Answer) -> tuple[str, str, str]:
    half, most, nearly_all = (measured.share(share) for share in (0.5, 0.95, 0.99))
    return f"{half:.1f}", f"{most:.1f}", f"{nearly_all:.1f}"


if __name__ == "__main__":
    main()
