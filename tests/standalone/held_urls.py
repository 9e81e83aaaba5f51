"""The addresses of the standalone project, and a page that waits until a test lets it go on."""

from __future__ import annotations

import os
import time
from pathlib import Path

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

# In the directory of the test's process.
BEGUN, GO_ON = "begun", "go-on"


@login_not_required
def held(request: HttpRequest) -> HttpResponse:
    folder = Path(os.environ["DBOSHUB_DATA_DIR"])
    (folder / f"{BEGUN}-{time.monotonic_ns()}").touch()
    while not (folder / GO_ON).exists():
        time.sleep(0.01)
    return HttpResponse("held")


urlpatterns = [path("held/", held), path("", include("dboshub.standalone.urls"))]
