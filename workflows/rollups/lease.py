"""One leader among any number of processes: a row that names the owner, and until when."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q

from dboshub.workflows.models import Lease

LEASE_MS = 60_000


class LeaseLostError(Exception):
    """Another process leads now; what was about to be written is not."""


@dataclass(frozen=True, slots=True)
class LeaseHandle:
    """One process's claim to a lease; `owner` is unlike that of any other process."""

    name: str
    owner: str

    def take(self, now: int) -> bool:
        """Get the lease or prolong it; False while another process holds it."""
        Lease.objects.get_or_create(name=self.name)
        free = Q(owner=self.owner) | Q(until__lt=now)
        until = now + LEASE_MS
        held = Lease.objects.filter(free, name=self.name).update(owner=self.owner, until=until)
        return bool(held)

    def confirm(self) -> None:
        """Within a transaction: nobody can take the lease before it ends. Raises LeaseLostError."""
        if not Lease.objects.filter(name=self.name, owner=self.owner).update(owner=self.owner):
            raise LeaseLostError(self.name)

    def release(self) -> None:
        """Let another process lead at once."""
        Lease.objects.filter(name=self.name, owner=self.owner).update(until=0)
