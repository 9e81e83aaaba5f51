"""The host's own pages and its login."""

from __future__ import annotations

from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path


def home(request: HttpRequest) -> HttpResponse:
    return render(request, "home.html")


urlpatterns = [
    path("", home, name="home"),
    path("enter/", LoginView.as_view(template_name="enter.html"), name="enter"),
    path("leave/", LogoutView.as_view(), name="logout"),
]
