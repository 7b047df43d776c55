"""One value token, used fifty times at once over two runtime processes: one value."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.support.database import home_variables
from tests.support.installation import canary
from tests.support.runs import Workshop

ROOT = Path(__file__).parents[2]

#: A runtime process: opens the installation by its settings, waits for the word, and uses the
#: token over many threads.
PROCESS = """
import json, os, sys
from concurrent.futures import ThreadPoolExecutor
from app.config import Config
from app.factory import create_runtime_app

app = create_runtime_app(Config.load(os.environ))
order = json.loads(sys.stdin.readline())

def use(_):
    answer = app.test_client().get(
        order["path"], base_url="https://localhost:8444",
        headers={"Authorization": "Bearer " + order["token"]},
    )
    return answer.status_code, answer.json.get("value") or answer.json["code"]

with ThreadPoolExecutor(25) as pool:
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(list(pool.map(use, range(25)))), flush=True)
"""


def test_one_token_over_two_processes_is_one_value(workshop: Workshop) -> None:
    value = canary()
    held = workshop.claimed(workshop.secret(value))
    grant = held.plan["grants"][0]
    order = json.dumps(
        {
            "path": f"/api/v1/secrets/{grant['secret_id']}/value?version=1",
            "token": held.value_token(),
        }
    )
    environ = {**home_variables(workshop.installation.config.home), "PYTHONPATH": str(ROOT),
               "TACIT_REDIS_URL": "redis://localhost:1/0"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=environ, text=True,
        )
        for _ in range(2)
    ]
    try:
        for process in processes:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(order + "\n")
            process.stdin.flush()
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [
            tuple(answer)
            for process in processes
            for answer in json.loads(process.communicate(timeout=60)[0])
        ]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert sorted(status for status, _ in answers) == [200] + [409] * 49
    assert [seen for status, seen in answers if status == 200] == [value]
    assert {seen for status, seen in answers if status == 409} == {"token_spent"}
