"""The steps of docs/embedding.md leave a project that Django is content with."""

from __future__ import annotations

from tests.embedding.project import HostProject


def test_the_steps_need_no_migration_of_the_hosts_own(host: HostProject) -> None:
    assert "No changes" in host.manage("makemigrations", "--check", "--dry-run")
