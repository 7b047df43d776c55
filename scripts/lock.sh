#!/bin/sh
# Resolve the dependencies anew, for every platform and every Python from 3.11 on.
# Without ARGS="--upgrade" the pins that still fit stay as they are.
set -eu
cd "$(dirname "$0")/.."

UV_CUSTOM_COMPILE_COMMAND="make lock"
export UV_CUSTOM_COMPILE_COMMAND
compile() {
    .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes "$@"
}
compile ${ARGS:-} pyproject.toml --group dev -o requirements.lock
compile ${ARGS:-} requirements-uv.in -o requirements-uv.lock
