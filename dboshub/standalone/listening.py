"""The address that a web server listens on: checked before anything is prepared for it."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass
from ipaddress import ip_address

HIGHEST_PORT = 65_535


class AddressError(Exception):
    """Nothing can listen there; the message says what to write instead."""


@dataclass(frozen=True, slots=True)
class Options:
    """How host and port are written on the command line, for advice that can be copied."""

    host: str = "--host "
    port: str = "--port "
    command: str = ""

    def of_port(self, port: int) -> str:
        return f"{self.command}{self.port}{port}"

    @property
    def of_hosts(self) -> str:
        return (
            f"{self.command}{self.host}127.0.0.1 for this machine alone, {self.host}0.0.0.0 for "
            "others, too"
        )


def port_of(text: str, options: Options) -> int:
    """The port that is written. Raises AddressError for what is none."""
    if text.isascii() and text.isdigit() and 0 < int(text) <= HIGHEST_PORT:
        return int(text)
    raise AddressError(
        f"{options.port.strip(' =')} is {text!r}: give a number from 1 to {HIGHEST_PORT}, like "
        f"{options.of_port(8001)}"
    )


def require_free(host: str, port: int, options: Options) -> None:
    """Raise AddressError unless this process may listen there."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except socket.gaierror as error:
        raise AddressError(
            f"{options.host.strip(' =')} is {host!r}, which is no address ({error.strerror}): "
            f"{options.of_hosts}"
        ) from None
    except OSError as error:
        advice = {
            errno.EADDRINUSE: "another program listens there: "
            + options.of_port(port % 60_000 + 1),
            errno.EADDRNOTAVAIL: f"this machine has no such address: {options.of_hosts}",
            errno.EACCES: f"ports below 1024 are for administrators: {options.of_port(8000)}",
        }.get(error.errno or 0, "choose another host or port")
        raise AddressError(
            f"Cannot listen on {host}, port {port} ({error.strerror}): {advice}"
        ) from None


def address_of(host: str, port: int) -> str:
    """Where a browser on this machine finds what listens on an address."""
    try:
        address = ip_address(host.strip("[]") or "127.0.0.1")
    except ValueError:
        return f"http://{host}:{port}"
    if address.is_unspecified:
        address = ip_address("127.0.0.1" if address.version == 4 else "::1")
    return f"http://{address if address.version == 4 else f'[{address}]'}:{port}"
