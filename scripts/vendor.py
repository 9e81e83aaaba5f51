"""Fetch the few dependencies of the front end into static/dboshub/: users need no node and no CDN.

Run by hand after changing a version here, then commit what changed: python scripts/vendor.py
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

STATIC = Path(__file__).resolve().parent.parent / "static" / "dboshub"
VENDOR = STATIC / "vendor"
SOURCE_MAP = re.compile(r"/[/*]# ?sourceMappingURL=[^ *\n]*( ?\*/)?")


@dataclass(frozen=True)
class Package:
    name: str
    version: str
    licence: str
    files: tuple[str, ...]  # paths inside the package


PACKAGES = (
    Package("htmx.org", "4.0.1", "0BSD", ("dist/htmx.min.js", "LICENSE")),
    Package(
        "@fontsource-variable/inter",
        "5.3.0",
        "OFL-1.1",
        ("files/inter-latin-wght-normal.woff2", "LICENSE"),
    ),
    Package(
        "@fontsource-variable/jetbrains-mono",
        "5.3.0",
        "OFL-1.1",
        ("files/jetbrains-mono-latin-wght-normal.woff2", "LICENSE"),
    ),
)
ICONS = Package("lucide-static", "1.62.0", "ISC", ("LICENSE",))
ICON_NAMES = (
    "activity arrow-down arrow-left arrow-right arrow-up ban bell box calendar-clock check "
    "chevron-down chevron-left chevron-right circle circle-alert circle-check circle-dashed "
    "circle-dot circle-help circle-pause circle-x clock copy cpu database download ellipsis "
    "external-link eye-off file-text funnel git-branch git-fork hourglass info key layers "
    "list-filter loader-circle lock log-out mail message-square monitor moon panel-left pause "
    "play plus radio refresh-cw rotate-ccw search send server settings shield skull split "
    "square sun terminal timer trash-2 triangle-alert user users waves wifi-off workflow x zap"
).split()


@dataclass(frozen=True)
class Vendored:
    name: str
    version: str
    licence: str
    sha256: dict[str, str] = field(default_factory=dict)


def main() -> None:
    shutil.rmtree(VENDOR, ignore_errors=True)
    VENDOR.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        done = [vendor(package, Path(scratch)) for package in PACKAGES]
        done.append(vendor_icons(Path(scratch)))
    manifest = json.dumps([asdict(item) for item in done], indent=2)
    (VENDOR / "MANIFEST.json").write_text(manifest + "\n")


def fetch(package: Package, scratch: Path) -> Path:
    """Download and unpack one package; its bytes must be those the registry vouches for."""
    spec = f"{package.name}@{package.version}"
    report = subprocess.run(
        ["npm", "pack", "--json", "--silent", spec],
        cwd=scratch,
        check=True,
        capture_output=True,
        text=True,
    )
    packed = json.loads(report.stdout)
    (entry,) = packed if isinstance(packed, list) else packed.values()
    archive = scratch / entry["filename"].replace("@", "").replace("/", "-")
    algorithm, expected = entry["integrity"].split("-", 1)
    digest = hashlib.new(algorithm, archive.read_bytes()).digest()
    if base64.b64encode(digest).decode() != expected:
        raise SystemExit(f"{spec} is not what the registry says it is")
    target = scratch / archive.stem
    with tarfile.open(archive) as tar:
        tar.extractall(target, filter="data")
    return target / "package"


def vendor(package: Package, scratch: Path) -> Vendored:
    source = fetch(package, scratch)
    folder = VENDOR / f"{package.name.split('/')[-1]}-{package.version}"
    folder.mkdir()
    sums = {}
    for name in package.files:
        content = (source / name).read_bytes()
        if name.endswith((".js", ".css")):
            content = SOURCE_MAP.sub("", content.decode()).encode()
        path = folder / Path(name).name
        path.write_bytes(content)
        sums[str(path.relative_to(STATIC))] = hashlib.sha256(content).hexdigest()
    return Vendored(package.name, package.version, package.licence, sums)


def vendor_icons(scratch: Path) -> Vendored:
    """Build one sprite of the icons in use; the packaged one has two thousand."""
    source = fetch(ICONS, scratch)
    symbols = []
    for name in ICON_NAMES:
        svg = (source / "icons" / f"{name}.svg").read_text()
        found = re.search(r"<svg[^>]*>(.*)</svg>", svg, re.DOTALL)
        assert found, name
        inner = re.sub(r"\s+", " ", found[1]).strip()
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{inner}</symbol>')
    body = "\n".join(symbols)
    style = (
        'fill="none" stroke="currentColor" stroke-width="2" '
        'stroke-linecap="round" stroke-linejoin="round"'
    )
    sprite = f'<svg xmlns="http://www.w3.org/2000/svg" {style}>\n{body}\n</svg>\n'
    path = STATIC / "img" / "icons.svg"
    path.write_text(sprite)
    licence = (source / "LICENSE").read_bytes()
    kept = VENDOR / "lucide-LICENSE"
    kept.write_bytes(licence)
    sums = {
        str(each.relative_to(STATIC)): hashlib.sha256(each.read_bytes()).hexdigest()
        for each in (path, kept)
    }
    return Vendored(ICONS.name, ICONS.version, ICONS.licence, sums)


if __name__ == "__main__":
    main()
