"""`{% live subscription digest %}`: the attributes by which a region of a page follows a topic."""

from __future__ import annotations

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from dboshub.workflows.live.subscriptions import Subscription

register = template.Library()


@register.simple_tag
def live(subscription: Subscription | None, digest: object = "") -> SafeString:
    """Without a digest the region is sent once more as soon as the page listens.

    Without a ticket the region stays as it was rendered: for fragments that are pushed.
    """
    # A page that has failed has none, which templates make an empty text.
    if not isinstance(subscription, Subscription):
        return SafeString("")
    return format_html(
        'data-topic="{}" data-kind="{}" data-key="{}" data-token="{}" data-digest="{}"',
        subscription.id,
        subscription.topic.kind,
        subscription.topic.key,
        subscription.token,
        digest,
    )
