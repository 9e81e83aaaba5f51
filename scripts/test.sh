#!/bin/sh
# Run every test but the long ones of make crash, make chaos, make fuzz and make interop: with Django on SQLite,
# where the engine's run on both databases, then those that touch Django's database once more on
# PostgreSQL. Browser tests come last, each on both databases, in processes of their own: the driver
# leaves an event loop running in the main thread.
# Arguments go to pytest.
set -u
cd "$(dirname "$0")/.."
# Images with Python often set it. Then each of some two hundred processes compiles our code anew.
unset PYTHONDONTWRITEBYTECODE

sh scripts/bootstrap.sh requirements-dev.txt || exit 1
# Once, before processes that start at the same time each do it. Test files are pytest's to compile.
.venv/bin/python -m compileall -q -j 0 -x /test_ dboshub queues schedules scripts tests workflows

given=$#
# The first tests need none.
sh scripts/chromium.sh &
chromium=$!
failed=0

# More processes than cores: tests wait more than they compute. Each process of those with Django has
# tables to make first, and each of those with a browser two servers to start.
run() {
    database=$1 marks=$2
    # Modules with fixtures of their own stay together; those of browser tests are of the process.
    distribution="loadscope --no-loadscope-reorder"
    case $marks in
        django*) processes=${TEST_PROCESSES:-2} ;;
        browser*) processes=${TEST_PROCESSES:-4} distribution=worksteal ;;
        *) processes=${TEST_PROCESSES:-5} ;;
    esac
    shift 2
    echo "== $database: $marks =="
    DBOSHUB_TEST_DATABASE=$database .venv/bin/python -m pytest \
        -q -n "$processes" --dist $distribution \
        --durations 10 -m "$marks" "$@"
    code=$?
    # 2: interrupted.
    [ $code != 2 ] || exit 2
    # 5: no test was selected, which a path or -k among the arguments may mean to do.
    [ $code = 0 ] || { [ $code = 5 ] && [ $given -gt 0 ]; } || failed=1
}

run sqlite "not browser and not crash and not chaos and not fuzz and not interop" "$@"
run postgres "django and not browser and not crash and not chaos and not fuzz and not interop" "$@"

if wait $chromium; then
    [ $given -gt 0 ] || set -- tests/browser
    run sqlite "browser and not crash" "$@"
else
    cat >&2 <<'MESSAGE'

!!! NO CHROMIUM: the browser tests did not run, and none could be installed here.
!!! Install one (apt-get install chromium) and repeat.
MESSAGE
fi
exit $failed
