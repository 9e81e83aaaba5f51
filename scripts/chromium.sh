#!/bin/sh
# Put a Chromium in place for the browser tests; succeed only if there is one afterwards.
# The headless shell comes first: see chromium.py, which finds them.
set -eu

shell=chromium-headless-shell

present() {
    for name in "$@"; do
        command -v "$name" >/dev/null && return 0
    done
    return 1
}

install() {
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1" \
        >/dev/null 2>&1 || true
}

present $shell && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Chromium for the browser tests" >&2
    apt-get update -qq >/dev/null 2>&1 || true
    install $shell
    present $shell chromium || install chromium
fi
present $shell chromium chromium-browser google-chrome
