"""Django's pages about errors, for DBOSHUB_DEBUG, without the passwords of databases."""

from __future__ import annotations

from collections.abc import ItemsView
from types import FrameType, TracebackType
from typing import Any

from django.http import HttpRequest
from django.views.debug import SafeExceptionReporterFilter

from dboshub.workflows.storage.database_urls import mask_password


class MaskedReporterFilter(SafeExceptionReporterFilter):
    """Masks the passwords in URLs wherever they stand: in settings, in variables of a frame."""

    def cleanse_setting(self, key: Any, value: Any) -> Any:
        return _masked(super().cleanse_setting(key, value))

    def get_traceback_frame_variables(
        self, request: HttpRequest, tb_frame: FrameType | TracebackType
    ) -> ItemsView[str, Any]:
        found = super().get_traceback_frame_variables(request, tb_frame)
        return {
            name: self.cleanse_setting(name, value) for name, value in dict(found).items()
        }.items()


def _masked(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    words = (mask_password(word) if "@" in word else word for word in value.split(" "))
    # And once more together, because a quoted password may hold blanks.
    return mask_password(" ".join(words))
