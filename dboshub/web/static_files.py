"""How static files are stored for serving: compressed, and named after their content."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, NoReturn

from django.core.exceptions import ImproperlyConfigured
from whitenoise.storage import CompressedManifestStaticFilesStorage

# What was collected, to its end. Beside the files, so that who removes the folder removes it, too.
STAMP = "collected-from"
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

    def delete(self, name: str) -> None:
        """Remove a file, and with it the word that nothing is missing."""
        Path(self.location, STAMP).unlink(missing_ok=True)
        super().delete(name)


class PackagedStaticFiles(HashedStaticFiles):
    """The files that an installed wheel brings, hashed when it was built.

    Files of other packages keep their plain names, because their versions are not known then.
    Writing raises ImproperlyConfigured: `collectstatic` would change the installed package.
    """

    def stored_name(self, name: str) -> str:
        """Return the hashed name of a file of ours, and the name itself of any other.

        Raises ValueError for a file of ours that is not in the manifest.
        """
        ours = name.startswith("dboshub/")
        return str(super().stored_name(name)) if ours else name

    def save(self, name: str | None, content: Any, max_length: int | None = None) -> NoReturn:
        raise ImproperlyConfigured(
            "The installed package brings its static files: there is nothing to collect. "
            "To collect them elsewhere, set STATIC_ROOT and STORAGES in settings of your own."
        )

    def delete(self, name: str) -> NoReturn:
        self.save(name, None)
