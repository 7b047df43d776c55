#!/bin/sh
# Run pytest with its folders in memory where there is room for them. Every test's database waits
# for the disk at each commit, as it has to in earnest; here that is most of the suite's time.
set -eu
cd "$(dirname "$0")/.."
memory=/dev/shm
needed=4000000 # KiB
if [ -w "$memory" ] && [ "$(df -Pk "$memory" | awk 'NR == 2 { print $4 }')" -gt "$needed" ]; then
    TMPDIR=$(mktemp -d "$memory/tacit-tests-XXXXXX")
    trap 'rm -rf "$TMPDIR"' EXIT
    # Workers under another user id have to get through.
    chmod 755 "$TMPDIR"
    export TMPDIR
fi
.venv/bin/pytest "$@"
