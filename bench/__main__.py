"""``make bench``: start a real installation, measure, print one table, write build/bench.json."""

from __future__ import annotations

import argparse
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path

from bench import crypto, lists, masking, runs, steps, values
from bench.figures import share_lines, table
from bench.home import home
from bench.installation import helper, installed

LIST_TIMES = 50
CRYPTO_TIMES = 2000
STEP_TIMES = 500


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--runs", type=int, default=100, help="runs of each side")
    parser.add_argument("--values", type=int, default=3000, help="requests for a value")
    parser.add_argument("--secrets", type=int, default=100_000, help="secrets to list among")
    options = parser.parse_args()
    load = os.getloadavg()[0]

    with installed() as installation, helper("bench.echo") as echo:
        assert echo.stdout is not None
        port = int(echo.stdout.readline())
        flow_id = runs.make_flow(installation, port)
        flow, bare = runs.measure(installation, flow_id, port, options.runs)
        rate = values.measure(installation, flow_id, options.values)
    with home() as place:
        cpu = crypto.measure(place, CRYPTO_TIMES)
        taken = steps.measure(place, STEP_TIMES)
        answers = lists.measure(place, options.secrets, LIST_TIMES)

    print(
        table(
            [
                ("enqueue to finished", "p50 ms", "p95 ms", "p99 ms", "times"),
                ("flow of three nodes (fetch a secret, HTTP call, log)",
                 *_shares(flow), str(options.runs)),
                ("bare RQ job (decrypt, HTTP call)", *_shares(bare), str(options.runs)),
                (f"value endpoint, 8 TLS clients: {rate.per_second:.0f}/s",
                 *_shares(rate), str(options.values)),
                *(
                    (f"list of {options.secrets:,} secrets: {answer.question}",
                     *_shares(answer), str(LIST_TIMES))
                    for answer in answers
                ),
            ]
        )
    )
    masked = masking.measure()
    print(f"\nCPU of masking:\n{masked.lines()}")
    print("\nA value, by step (one caller, in process, without TLS):")
    print(share_lines(taken))
    print("\nCPU of its cryptography:")
    print(share_lines(cpu))
    print(f"\nThe machine's load when this began: {load:.1f} on {os.cpu_count()} cores.")
    report = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(),
                    "load_at_begin": load},
        "flow_ms": {"p50": flow.share(0.5), "p95": flow.share(0.95),
                    "all": list(flow.milliseconds)},
        "bare_ms": {"p50": bare.share(0.5), "p95": bare.share(0.95),
                    "all": list(bare.milliseconds)},
        "value_requests_per_second": rate.per_second,
        "value_requests": options.values,
        "value_ms": {"p50": rate.share(0.5), "p95": rate.share(0.95), "p99": rate.share(0.99)},
        "value_step_ms": taken,
        "crypto_cpu_ms": cpu,
        "masking": {
            **{f"{one.name}, {one.secrets} secrets": {
                "bytes_per_second": one.bytes_per_second, "lines_per_second": one.lines_per_second,
            } for one in masked.speeds},
            "build_ms": masked.build_ms,
        },
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
