"""The client's address behind a proxy."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address, ip_network

from django.http import HttpRequest

from dboshub.workflows.django_settings import is_behind_proxy


def client_address(request: HttpRequest) -> str:
    """Where a request comes from; as the proxy in front wrote it, if settings name one.

    Only the last entry was written by that proxy; the others are what the client claims.
    """
    if is_behind_proxy():
        addresses: str = request.META.get("HTTP_X_FORWARDED_FOR", "")
        last = addresses.split(",")[-1].strip()
        if last:
            return last
    return str(request.META.get("REMOTE_ADDR", ""))


def network_of(address: str) -> str:
    """The address, or the /64 network of an IPv6 address: whoever has one has all of it."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ip_network((int(found) >> 64 << 64, 64)))
