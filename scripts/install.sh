#!/bin/sh
# Makes .venv and installs a lock file into it: install.sh LOCK. Needs no root. A second call with nothing new does nothing.
set -eu
lock=$1
cd "$(dirname "$0")/.."

usable() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; }

stamp=$(cat "$lock" pyproject.toml | sha256sum | cut -d' ' -f1)
if [ -x .venv/bin/retinagate ] && [ "$(cat .venv/installed 2>/dev/null || true)" = "$stamp" ]; then
    exit 0
fi

if [ ! -x .venv/bin/python ]; then
    python=
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if usable "$candidate"; then python=$candidate; break; fi
    done
    if [ -z "$python" ]; then
        echo "RetinaGate needs Python 3.11, 3.12 or 3.13. Install one, then say: make PYTHON=/path/to/python3" >&2
        exit 1
    fi
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        echo "Python's venv module is missing. Install it: apt-get install $("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')" >&2
        exit 1
    fi
    "$python" -m venv .venv
fi

# uv is some twenty times faster; plain pip installs the same file where uv cannot be had.
.venv/bin/python -m pip install --quiet uv 2>/dev/null || true
if ! { [ -x .venv/bin/uv ] && .venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes -r "$lock"; }; then
    .venv/bin/python -m pip install --quiet --require-hashes -r "$lock"
fi
if ! { [ -x .venv/bin/uv ] && .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps -e .; }; then
    .venv/bin/python -m pip install --quiet --no-deps -e .
fi
echo "$stamp" > .venv/installed
