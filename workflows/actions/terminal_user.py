"""The user of the shell, who may do everything there."""

from __future__ import annotations

import getpass
from dataclasses import dataclass, field


def _shell_user() -> str:
    return f"{getpass.getuser()} (manage.py)"


@dataclass(eq=False)
class TerminalUser:
    """Has no account; the audit log records the name."""

    username: str = field(default_factory=_shell_user)
    is_authenticated = False
    is_superuser = True

    def get_username(self) -> str:
        return self.username

    def has_perm(self, permission: str) -> bool:
        return True
