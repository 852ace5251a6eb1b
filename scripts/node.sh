#!/bin/sh
# Installs what the tests use from npm, beside tests/node/package-lock.json. A second call with nothing new does nothing.
set -eu
cd "$(dirname "$0")/../tests/node"
stamp=$(cat package.json package-lock.json .npmrc | sha256sum | cut -d' ' -f1)
[ "$(cat node_modules/installed 2>/dev/null || true)" != "$stamp" ] || exit 0
if ! command -v npm >/dev/null; then
    echo "Some tests will not run here; install what they need: apt-get install nodejs npm" >&2
    exit 0
fi
npm ci --loglevel=error
echo "$stamp" > node_modules/installed
