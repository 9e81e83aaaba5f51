#!/bin/sh
# Make .venv and install one requirements file into it; again only when the pins have changed.
# Needs Python 3.11 or newer. PYTHON=/path/to/python chooses the interpreter.
set -eu
cd "$(dirname "$0")/.."

requirements=${1:-requirements.txt}
stamp=.venv/.installed-$requirements
pins=$(cat requirements.txt "$requirements" | cksum)

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for candidate in ${PYTHON:-} python3 python3.11 python3.12 python3.13 python3.14 python; do
        if new_enough "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    echo "DBOSHub needs Python 3.11 or newer; set PYTHON=/path/to/python if it is not on PATH." >&2
    exit 1
}

make_venv() {
    python=$(find_python)
    # Debian and Ubuntu ship Python without the module that puts pip into a new environment.
    if ! "$python" -c 'import ensurepip' >/dev/null 2>&1; then
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv
        else
            echo "This Python cannot make virtual environments: apt-get install python3-venv" >&2
            exit 1
        fi
    fi
    echo "Making .venv with $("$python" --version)" >&2
    "$python" -m venv .venv
}

new_enough .venv/bin/python || make_venv
if [ "$(cat "$stamp" 2>/dev/null || true)" != "$pins" ]; then
    echo "Installing $requirements into .venv" >&2
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -r "$requirements"
    # pip compiles on one core. What does not compile here is never imported.
    .venv/bin/python -m compileall -q -j 0 .venv/lib >/dev/null 2>&1 || true
    echo "$pins" >"$stamp"
fi
