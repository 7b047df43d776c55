#!/bin/sh
# Run the JavaScript tests with Node's own runner, where there are any.
set -eu
cd "$(dirname "$0")/.."

set -- $(find tests/js -name '*.test.mjs' 2>/dev/null | sort)
[ "$#" -gt 0 ] || exit 0
exec node --test "$@"
