"""What is installed and served is what was chosen: pins with hashes, vendored files, one list."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from scripts import audit_pins, sbom

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "static" / "dboshub"
VENDOR = STATIC / "vendor"
PIN = re.compile(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==\S+( ; [^\\]+)?")


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_pin_has_a_hash(name: str) -> None:
    text = (ROOT / name).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith(("#", "-r "))]
    assert len(lines) > 25
    for line in lines:
        pin, *hashes = line.split("--hash=")
        assert PIN.fullmatch(pin.strip()), line
        assert hashes, line
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}\s*", each) for each in hashes), line


def test_the_vendored_files_are_those_that_were_fetched() -> None:
    manifest = json.loads((VENDOR / "MANIFEST.json").read_text())
    known = {name: digest for package in manifest for name, digest in package["sha256"].items()}
    for name, digest in known.items():
        assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == digest, name
    there = {str(path.relative_to(STATIC)) for path in VENDOR.rglob("*") if path.is_file()}
    assert there - {"vendor/MANIFEST.json"} == {name for name in known if "vendor/" in name}


def test_the_bill_of_materials_is_of_these_pins_and_files() -> None:
    assert sbom.FILE.read_text() == sbom.sbom(), "run python -m scripts.sbom"
    names = {each["name"] for each in json.loads(sbom.sbom())["components"]}
    assert {"Django", "daphne", "psycopg", "htmx.org", "lucide-static"} <= names | {"Django"}
    assert {name.lower() for name in names} >= {"django", "twisted", "asgiref"}


@pytest.mark.parametrize(
    ("code", "said", "exits"),
    [
        (0, "No known vulnerabilities found", 0),
        (1, "Found 2 known vulnerabilities in 1 package", 1),
        (1, "ConnectionError: no network", 0),
        (1, "", 0),
    ],
)
def test_an_audit_stops_the_checks_only_for_what_it_found(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, code: int, said: str, exits: int
) -> None:
    done = subprocess.CompletedProcess([], code, "", said)
    monkeypatch.setattr(audit_pins, "find_spec", lambda name: object())
    monkeypatch.setattr(subprocess, "run", lambda *args, **options: done)
    assert audit_pins.main() == exits
    assert capsys.readouterr()


def test_without_pip_audit_it_is_skipped(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(audit_pins, "find_spec", lambda name: None)
    assert audit_pins.main() == 0
    assert "not installed" in capsys.readouterr().out
