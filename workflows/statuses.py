"""The one vocabulary of statuses: what a token is called, how it is drawn, and what it means.

HTML, SVG and charts take their class from here; colour is never the only sign.
"""

from __future__ import annotations

from dataclasses import dataclass

IN_FLIGHT = ("PENDING", "ENQUEUED", "DELAYED")
# Ended without a result. The filter "failed" means these.
FAILED = ("ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
FAILED_NOT_CANCELLED = ("ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
STATUSES = (*IN_FLIGHT, "SUCCESS", *FAILED)


@dataclass(frozen=True, slots=True)
class Look:
    """`css` sets the hue (tokens.css), `icon` names a symbol, `word` is what people read."""

    token: str
    css: str
    icon: str
    word: str
    meaning: str


LOOKS = {
    look.token: look
    for look in (
        Look("PENDING", "s-running", "loader-circle", "Running", "An executor has it."),
        Look("ENQUEUED", "s-queued", "layers", "Queued", "It waits in a queue for an executor."),
        Look("DELAYED", "s-delayed", "timer", "Delayed", "It is enqueued when its delay is over."),
        Look("SUCCESS", "s-success", "circle-check", "Succeeded", "It returned a value."),
        Look("ERROR", "s-error", "circle-x", "Failed", "It raised an error."),
        Look("CANCELLED", "s-cancelled", "ban", "Cancelled", "It was stopped on request."),
        Look(
            "MAX_RECOVERY_ATTEMPTS_EXCEEDED",
            "s-gave-up",
            "skull",
            "Gave up",
            "It was recovered too often without finishing.",
        ),
    )
}


def look(token: str) -> Look:
    """How a status is shown; one that a newer version invented keeps its own name."""
    return LOOKS.get(token) or Look(token, "s-unknown", "circle-help", token, "Unknown here.")
