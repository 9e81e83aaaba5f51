"""How static files are stored for serving: compressed, and named after their content."""

from __future__ import annotations

from typing import ClassVar

from whitenoise.storage import CompressedManifestStaticFilesStorage

IMPORTS = (
    (r"""(?P<matched>\bfrom\s+["'](?P<url>\./[^"']+|\.\./[^"']+)["'])""", 'from "%(url)s"'),
    (r"""(?P<matched>\bimport\s+["'](?P<url>\./[^"']+|\.\./[^"']+)["'])""", 'import "%(url)s"'),
)


class HashedStaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Our modules import each other by hashed names too: no browser mixes two releases.

    Django's own switch for it reads the scripts of other packages as well, where a comment that
    mentions an import fails the collection.
    """

    patterns: ClassVar = (
        *CompressedManifestStaticFilesStorage.patterns,
        ("dboshub/js/*.js", IMPORTS),
    )
