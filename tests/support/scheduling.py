"""Which tests share a process: those with a fixture that takes long to make, and each file's own.

Work handed out test by test makes such a fixture again in every process.
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

# One project, or one wheel, serves all tests of the folder.
TOGETHER = ("tests/embedding/", "tests/packaging/")
# Each test is long, and shares at most what every process has once.
APART = (
    "tests/browser/",
    "tests/chaos/",
    "tests/standalone/",
    "tests/workflows/executors/test_runworkers.py",
)
LONG = (
    *(*APART, "tests/docs_examples/", "tests/first_failures/", "tests/project/"),
    # Ten thousand rows, and whatever is hostile.
    *("tests/fuzz/", "tests/web/test_hostile_", "tests/workflows/bulk/"),
    *("tests/workflows/payloads/test_hostile.py", "tests/workflows/selectors/test_listing.py"),
)


def rank(nodeid: str) -> int:
    """The longest come first: begun last, they would leave the other processes idle."""
    return 0 if nodeid.startswith(TOGETHER) else 1 if nodeid.startswith(LONG) else 2


class Scheduling(LoadScopeScheduling):
    """Hands out files, some folders as a whole, and some tests one by one."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(APART):
            return nodeid
        folders = (each for each in TOGETHER if nodeid.startswith(each))
        return next(folders, nodeid.partition("::")[0])
