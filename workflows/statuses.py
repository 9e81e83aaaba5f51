"""Workflow statuses: their groups, and the word, icon and colour that pages show for each.

HTML, SVG and charts take their CSS class from here. Colour is never the only sign.
"""

from __future__ import annotations

from dataclasses import dataclass

IN_FLIGHT = ("PENDING", "ENQUEUED", "DELAYED")
# Ended without a result. The filter "failed" means these.
FAILED = ("ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
FAILED_NOT_CANCELLED = ("ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
STATUSES = (*IN_FLIGHT, "SUCCESS", *FAILED)


@dataclass(frozen=True, slots=True)
class StatusStyle:
    """`css` sets the hue (tokens.css), `icon` names a symbol, `word` is what people read."""

    token: str
    css: str
    icon: str
    word: str
    meaning: str


STATUS_STYLES = {
    style.token: style
    for style in (
        StatusStyle("PENDING", "s-running", "loader-circle", "Running", "An executor runs it."),
        StatusStyle("ENQUEUED", "s-queued", "layers", "Queued", "It waits on a queue."),
        StatusStyle(
            "DELAYED",
            "s-delayed",
            "timer",
            "Delayed",
            "It is enqueued when its delay or wait is over.",
        ),
        StatusStyle("SUCCESS", "s-success", "circle-check", "Succeeded", "It returned a value."),
        StatusStyle("ERROR", "s-error", "circle-x", "Failed", "It raised an error."),
        StatusStyle("CANCELLED", "s-cancelled", "ban", "Cancelled", "It was stopped on request."),
        StatusStyle(
            "MAX_RECOVERY_ATTEMPTS_EXCEEDED",
            "s-gave-up",
            "skull",
            "Gave up",
            "It was recovered too often without finishing.",
        ),
    )
}


def status_style(token: str) -> StatusStyle:
    """How a status is shown. A status of a newer version is shown by its own name."""
    unknown = StatusStyle(token, "s-unknown", "circle-help", token, "Unknown here.")
    return STATUS_STYLES.get(token, unknown)
