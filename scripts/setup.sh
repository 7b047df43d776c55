#!/bin/sh
# Prepare .venv: a Python of 3.11 or later, uv inside it, everything of requirements.lock
# (hashes checked), and Tacit itself. Does nothing when nothing has changed.
set -eu
cd "$(dirname "$0")/.."

say() { echo "setup: $*"; }
fail() { echo "setup: $*" >&2; exit 1; }

fingerprint=$(cat requirements.lock requirements-uv.lock pyproject.toml scripts/setup.sh \
    | sha256sum | cut -d ' ' -f 1)
stamp=.venv/.setup-done
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$fingerprint $(pwd)" ] \
    && .venv/bin/python -c '' 2>/dev/null && [ -x .venv/bin/tacit ]; then
    exit 0
fi

# --- find a Python -----------------------------------------------------------------------

fits() {
    command -v "$1" >/dev/null 2>&1 && "$1" -c '
import sys
sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

has_venv() { "$1" -c 'import ensurepip, sqlite3, ssl, venv' 2>/dev/null; }

# Root's workers run under another user id. An interpreter inside a private home, as version
# managers install it, could not be started by them.
is_open_to_all() {
    "$1" -c '
import os, pathlib, stat, sys
real = pathlib.Path(os.path.realpath(sys.executable))
folders = [*real.parents, *pathlib.Path(os.path.realpath(os.__file__)).parents]
sys.exit(not all(stat.S_IMODE(folder.stat().st_mode) & 0o005 == 0o005 for folder in folders))
' 2>/dev/null
}

choose() {
    fallback=""
    for candidate in ${PYTHON:-} python3 python3.11 python3.12 python3.13 python3.14 \
        /usr/bin/python3 /usr/bin/python3.11 /usr/local/bin/python3; do
        fits "$candidate" || continue
        if has_venv "$candidate"; then
            if [ "$(id -u)" != 0 ] || is_open_to_all "$candidate"; then
                python=$candidate
                return 0
            fi
        fi
        [ -n "$fallback" ] || fallback=$candidate
    done
    [ -n "$fallback" ] || return 1
    python=$fallback
    has_venv "$python"
}

if ! choose; then
    packages="python3 python3-venv"
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "installing $packages"
        DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $packages \
            || { apt-get update -q && DEBIAN_FRONTEND=noninteractive \
                apt-get install -q -y --no-install-recommends $packages; }
        choose || fail "no Python 3.11 or later, also not after installing $packages."
    else
        fail "Python 3.11 or later with venv is missing. Install with: apt-get install $packages"
    fi
fi

# --- the environment ---------------------------------------------------------------------

# A virtual environment knows its own path, so a moved or copied one is made anew.
if ! .venv/bin/python -c '' 2>/dev/null \
    || ! grep -q "$(pwd)/.venv" .venv/bin/pip 2>/dev/null \
    || { [ "$(id -u)" = 0 ] && is_open_to_all "$python" && ! is_open_to_all .venv/bin/python; }
then
    say "making .venv with $($python --version) ($(command -v "$python"))"
    rm -rf .venv
    "$python" -m venv .venv
fi

# uv keeps its downloads below HOME; a user without a writable one gets a folder of the project.
cache=${UV_CACHE_DIR:-${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/uv}
mkdir -p "$cache" 2>/dev/null || true
if [ ! -w "$cache" ]; then
    cache=$(pwd)/.venv/.uv-cache
fi
UV_CACHE_DIR=$cache
UV_LINK_MODE=${UV_LINK_MODE:-copy}
VIRTUAL_ENV=$(pwd)/.venv
export UV_CACHE_DIR UV_LINK_MODE VIRTUAL_ENV
# Behind a company's proxy, its authority is in the system's store and not in uv's own list.
if [ -s /etc/ssl/certs/ca-certificates.crt ]; then
    UV_SYSTEM_CERTS=${UV_SYSTEM_CERTS:-true}
    export UV_SYSTEM_CERTS
fi

wanted_uv=$(sed -n 's/^uv==\([^ ]*\).*/\1/p' requirements-uv.lock)
if [ "$(.venv/bin/uv --version 2>/dev/null | cut -d ' ' -f 2)" != "$wanted_uv" ]; then
    say "installing uv $wanted_uv"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-cache-dir \
        --require-hashes -r requirements-uv.lock
fi

say "installing what requirements.lock names"
.venv/bin/uv pip install --quiet --require-hashes --compile-bytecode -r requirements.lock
.venv/bin/uv pip install --quiet --no-deps --no-build-isolation --editable .
.venv/bin/python -m compileall -q app worker || true

echo "$fingerprint $(pwd)" > "$stamp"
say "ready"
