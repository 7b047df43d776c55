#!/bin/sh
# See that the tests' tools are there: a Chromium for the browser tests, Node for the
# JavaScript ones. Both come from Debian; who may not install packages is told which.
set -eu

missing=""
command -v chromium >/dev/null 2>&1 || missing="chromium"
command -v node >/dev/null 2>&1 || missing="$missing nodejs"
missing=$(echo $missing)
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    as_root=""
elif sudo -n true >/dev/null 2>&1; then
    as_root="sudo -n"
else
    as_root="no"
fi
if [ "$as_root" = no ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "The tests need: $missing. Install with: apt-get install --no-install-recommends $missing" >&2
    exit 1
fi
echo "Installing for the tests: $missing"
install() {
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -q -y --no-install-recommends $missing
}
install || { $as_root apt-get update -q && install; }
