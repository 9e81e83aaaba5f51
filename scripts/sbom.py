"""Write sbom.cdx.json: what an installation consists of, in the CycloneDX format.

Run after a pin or a vendored file has changed: python -m scripts.sbom
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "sbom.cdx.json"
MANIFEST = ROOT / "static" / "dboshub" / "vendor" / "MANIFEST.json"
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)


def sbom() -> str:
    """The bill of materials as JSON; equal for equal pins."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "name": project["name"],
                "version": project["version"],
                "licenses": [{"license": {"id": project["license"]}}],
            }
        },
        "components": [*_python_packages(), *_vendored_files()],
    }
    return json.dumps(document, indent=1) + "\n"


def _python_packages() -> list[dict[str, Any]]:
    pins = sorted(PIN.findall((ROOT / "requirements.txt").read_text()), key=_normal)
    return [
        {
            "type": "library",
            "name": name,
            "version": version,
            "purl": f"pkg:pypi/{_normal((name, version))}@{version}",
        }
        for name, version in pins
    ]


def _vendored_files() -> list[dict[str, Any]]:
    return [
        {
            "type": "library",
            "name": package["name"],
            "version": package["version"],
            "purl": f"pkg:npm/{package['name'].replace('@', '%40')}@{package['version']}",
            "licenses": [{"license": {"id": package["licence"]}}],
            "components": [
                {"type": "file", "name": name, "hashes": [{"alg": "SHA-256", "content": digest}]}
                for name, digest in package["sha256"].items()
            ],
        }
        for package in json.loads(MANIFEST.read_text())
    ]


def _normal(pin: tuple[str, str]) -> str:
    return re.sub(r"[-_.]+", "-", pin[0]).lower()


if __name__ == "__main__":
    FILE.write_text(sbom())
