"""A host project's own tests run with workflows in them, on the database that Django makes."""

from __future__ import annotations

from tests.embedding.project import HostProject


def test_the_hosts_tests_pass_and_leave_nothing(host: HostProject) -> None:
    """On SQLite that database is in memory."""
    assert "Found 6 test(s)" in host.manage("test", "orders", "--noinput")
