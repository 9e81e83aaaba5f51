"""The lines of docs/embedding.md, as a reader copies them."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "embedding.md"
BLOCK = re.compile(r"^( *)```(python|sh)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


def steps() -> dict[str, str]:
    """The code of each step, by what it is about: install, settings, urls, asgi, migrate."""
    text = PAGE.read_text(encoding="utf-8").split("\n## ")[0]
    blocks = [textwrap.dedent(code) for _, _, code in BLOCK.findall(text)]
    return dict(zip(("install", "settings", "urls", "asgi", "migrate"), blocks, strict=True))
