#!/bin/sh
# Run every test: all of them with Django on SQLite (the engine's run on both databases there),
# then those that touch Django's database once more on PostgreSQL. Arguments go to pytest.
set -u
cd "$(dirname "$0")/.."

sh scripts/bootstrap.sh requirements-dev.txt || exit 1

browsers="browser or not browser"
if ! sh scripts/chromium.sh; then
    browsers="not browser"
fi
failed=0

run() {
    database=$1 marks=$2
    shift 2
    echo "== Django on $database =="
    DBOSHUB_TEST_DATABASE=$database .venv/bin/python -m pytest \
        -q -n "${TEST_PROCESSES:-2}" --dist worksteal --durations 10 -m "$marks" "$@"
    code=$?
    # 2: interrupted.
    [ $code != 2 ] || exit 2
    # 5: no test was selected, which a path or -k among the arguments may mean to do.
    [ $code = 0 ] || { [ $code = 5 ] && [ $# -gt 0 ]; } || failed=1
}

run sqlite "$browsers" "$@"
run postgres "django and ($browsers)" "$@"

if [ "$browsers" = "not browser" ]; then
    cat >&2 <<'MESSAGE'

!!! NO CHROMIUM: the browser tests did not run, and none could be installed here.
!!! Install one (apt-get install chromium) and repeat.
MESSAGE
fi
exit $failed
