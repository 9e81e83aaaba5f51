"""The template engine of our pages, apart from the engines that a project configures.

A project's `TEMPLATES` needs nothing for our pages and gets nothing from us: our tag libraries are
known here alone. A project overrides a page by a template of the same name (`dboshub/…`) in its
own template directories or in an app installed before ours.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template import Context, RequestContext
from django.template.backends.django import DjangoTemplates
from django.utils.safestring import SafeString

BACKEND = "django.template.backends.django.DjangoTemplates"
CONTEXT_PROCESSORS = [
    "django.template.context_processors.request",
    "django.contrib.auth.context_processors.auth",
    "django.contrib.messages.context_processors.messages",
    "dboshub.web.context_processors.frame",
]
LIBRARIES = {
    "hub": "dboshub.workflows.template_tags.hub",
    "live": "dboshub.workflows.template_tags.live",
    "payloads": "dboshub.workflows.template_tags.payloads",
    "global_search": "dboshub.global_search.tags",
    "saved_views": "dboshub.web.saved_view_tags",
}


@cache
def engine() -> DjangoTemplates:
    """The engine, made when the first page is rendered: settings are complete by then."""
    options: dict[str, Any] = {
        "context_processors": CONTEXT_PROCESSORS,
        "libraries": LIBRARIES,
        "loaders": _loaders(),
    }
    return DjangoTemplates(
        {"NAME": "dboshub", "DIRS": _host_dirs(), "APP_DIRS": False, "OPTIONS": options}
    )


def render(
    request: HttpRequest, name: str, context: dict[str, Any] | None = None, status: int = 200
) -> HttpResponse:
    """A response with the page or the fragment of this name."""
    return HttpResponse(render_to_string(name, context, request), status=status)


def render_to_string(
    name: str, context: dict[str, Any] | None = None, request: HttpRequest | None = None
) -> SafeString:
    """The text of a page or a fragment; without a request, no context processor runs.

    Numbers are written in one way in every locale: they are parts of addresses and drawings, too.
    """
    template = engine().get_template(name).template
    bound = (
        Context(context, use_l10n=False)
        if request is None
        else RequestContext(request, context, use_l10n=False)
    )
    return template.render(bound)


def _host_dirs() -> list[Any]:
    """Where the project keeps its own templates, which override those of apps."""
    engines: list[Any] = [each for each in settings.TEMPLATES if each.get("BACKEND") == BACKEND]
    return [folder for each in engines for folder in each.get("DIRS", ())]


def _loaders() -> list[Any]:
    """Templates are compiled once; with DEBUG each time, so that an edit shows at once."""
    found: list[Any] = [
        "django.template.loaders.filesystem.Loader",
        "django.template.loaders.app_directories.Loader",
    ]
    return found if settings.DEBUG else [("django.template.loaders.cached.Loader", found)]
