"""Addresses of the pages, under the prefix at which a project includes them.

`path("ops/", include("dboshub.urls"))`: the names are in the namespace `dboshub`.
"""

from __future__ import annotations

from django.urls import include, path

from dboshub.audit.changes import change
from dboshub.audit.views import audit
from dboshub.global_search.views import find, find_names, find_values
from dboshub.home.views import home
from dboshub.hub.views import hub
from dboshub.incidents.views import incident, incident_list
from dboshub.web import saved_views, views
from dboshub.web.guard import guard
from dboshub.web.preferences import preferences

app_name = "dboshub"

urlpatterns = [
    path("", home, name="home"),
    path("healthz", views.healthz, name="healthz"),
    path("find/", find, name="find"),
    path("find/names/", find_names, name="find_names"),
    path("find/values/", find_values, name="find_values"),
    path("live/", views.live, name="live"),
    path("theme/", views.theme, name="theme"),
    path("preferences/", preferences, name="preferences"),
    path("views/save/", saved_views.save, name="save_view"),
    path("views/<int:view_id>/delete/", saved_views.delete, name="delete_view"),
    path("workflows/", include("dboshub.workflows.urls")),
    path("queues/", include("dboshub.queues.urls")),
    path("schedules/", include("dboshub.schedules.urls")),
    path("incidents/", incident_list, name="incidents"),
    path("incidents/<slug:kind>/<dboshub_id:key>", incident, name="incident"),
    path("audit/", audit, name="audit"),
    path("audit/change/<dboshub_number:event_id>", change, name="audit_change"),
    path("exports/", include("dboshub.exports.urls")),
    path("hub/", hub, name="hub"),
    views.UnknownAddresses(),
]

guard(urlpatterns)
