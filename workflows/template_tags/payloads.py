"""``{% payload node %}`` shows a payload as a tree, ``{% payload_line node %}`` as one line."""

from __future__ import annotations

from django import template

from dboshub.workflows.rendering import payload_html

register = template.Library()

register.simple_tag(payload_html.payload_tree, name="payload")
register.simple_tag(payload_html.payload_line)
register.simple_tag(payload_html.redaction_note)
