"""Print what has changed in the installed package since it was installed, as JSON."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.metadata import distribution
from pathlib import Path

package = distribution("dboshub")
known = {str(file): file.hash for file in package.files or () if file.hash}
root = Path(str(package.locate_file("")))
found = {str(file.relative_to(root)) for file in (root / "dboshub").rglob("*") if file.is_file()}
changed = [name for name in found if name not in known and "__pycache__" not in name]
for name, recorded in known.items():
    file = root / name
    digest = hashlib.new(recorded.mode, file.read_bytes()).digest() if file.exists() else b""
    if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != recorded.value:
        changed.append(name)
print(json.dumps(sorted(changed)))
