"""A lease that one of many processes holds: a row with its owner and its end."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q

from dboshub.workflows.models import Lease

LEASE_MS = 60_000


class LeaseLostError(Exception):
    """Another process holds the lease now; nothing was written."""


@dataclass(frozen=True, slots=True)
class LeaseHandle:
    """A lease as one process uses it; `owner` is unique to the process."""

    name: str
    owner: str

    def take(self, now: int) -> bool:
        """Take or extend the lease; False while another process holds it. `now` is epoch ms."""
        Lease.objects.get_or_create(name=self.name)
        # Nobody holds it for longer than it lasts.
        free = Q(owner=self.owner) | Q(until__lt=now) | Q(until__gt=now + 2 * LEASE_MS)
        until = now + LEASE_MS
        held = Lease.objects.filter(free, name=self.name).update(owner=self.owner, until=until)
        return bool(held)

    def confirm(self) -> None:
        """Lock the lease until the caller's transaction ends. Raises LeaseLostError."""
        if not Lease.objects.filter(name=self.name, owner=self.owner).update(owner=self.owner):
            raise LeaseLostError(self.name)

    def release(self) -> None:
        """Give the lease up."""
        Lease.objects.filter(name=self.name, owner=self.owner).update(until=0)
