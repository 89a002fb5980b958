"""The ids under which each tenant's own services act, in one file of the home directory.

An own use is the controller's own. Whoever is not registered here is somebody else, so that a file that is
missing or damaged makes nobody a service.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from choice_ledger.owner_file import Followed, OwnerFile
from events.envelope import InvalidEvent, check_name, check_tenant
from events.instants import Micros

SERVICES_MAX: Final = 10_000
"""Services in one file, of all tenants together."""


class OwnService(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One service of a tenant's own: the id under which it is named as a subject."""

    tenant: str
    id: str
    added_at: Micros

    def __post_init__(self) -> None:
        """Hold the rules of the names. Raises InvalidEvent."""
        check_tenant(self.tenant)
        check_service_id(self.id)


class _Services(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: Literal[1] = 1
    services: tuple[OwnService, ...] = ()


class ServicesFull(Exception):
    """There are as many services as the file may hold. Remove those that are none any more."""


class ServiceFile:
    """The services in a file that is for its owner alone. Safe from many threads and processes."""

    def __init__(self, file: OwnerFile[_Services]) -> None:
        """Use a file that ``service_file_at`` made."""
        self.file = file

    def services(self, tenant: str) -> tuple[OwnService, ...]:
        """A tenant's services, by id. Raises FileFault."""
        own = (service for service in self.file.read().services if service.tenant == tenant)
        return tuple(sorted(own, key=lambda service: service.id))

    def add(self, tenant: str, service_id: str, now: Micros) -> bool:
        """Register a service; whether it is new. Raises InvalidEvent, ServicesFull, FileFault."""
        added = OwnService(tenant=tenant, id=service_id, added_at=now)

        def edit(content: _Services) -> _Services:
            if any((known.tenant, known.id) == (tenant, service_id) for known in content.services):
                raise _Unchanged
            if len(content.services) >= SERVICES_MAX:
                raise ServicesFull(f"there are {SERVICES_MAX} services; remove those that are none any more")
            return _Services(services=(*content.services, added))

        return self._changed(edit)

    def remove(self, tenant: str, service_id: str) -> bool:
        """Forget a service; whether it was one. Raises FileFault."""

        def edit(content: _Services) -> _Services:
            kept = tuple(s for s in content.services if (s.tenant, s.id) != (tenant, service_id))
            if len(kept) == len(content.services):
                raise _Unchanged
            return _Services(services=kept)

        return self._changed(edit)

    def _changed(self, edit: Callable[[_Services], _Services]) -> bool:
        try:
            self.file.change(edit)
        except _Unchanged:
            return False
        return True


class ServicesAtHand:
    """The services as a running process looks them up: ``choice_ledger.access.ServiceRegistry``."""

    def __init__(self, services: ServiceFile, clock_s: Callable[[], float]) -> None:
        """Follow a file."""
        nobody: frozenset[tuple[str, str]] = frozenset()
        self._followed = Followed(services.file, _index, nobody, clock_s)

    def is_own(self, tenant: str, service_id: str) -> bool:
        """Whether this id is one of the tenant's own services."""
        return (tenant, service_id) in self._followed.current()

    def of_tenant(self, tenant: str) -> Sequence[str]:
        """The ids of all of the tenant's own services, in their order."""
        return sorted(service_id for owner, service_id in self._followed.current() if owner == tenant)

    def fault(self) -> str | None:
        """Why nobody is a service now, though some may be registered."""
        self._followed.current()
        return self._followed.fault


class _Unchanged(Exception):
    """The file is already as it was asked to be."""


def service_file_at(path: Path) -> ServiceFile:
    """The services in this file, which begins to exist with the first."""
    return ServiceFile(OwnerFile(path, _Services, _Services()))


def check_service_id(value: str) -> None:
    """Refuse what is no name, and what could be an e-mail address. Raises InvalidEvent."""
    check_name("service", value)
    if "@" in value or any(character.isspace() for character in value):
        raise InvalidEvent("service", "must be an id without '@' and spaces")


def _index(content: _Services) -> frozenset[tuple[str, str]]:
    return frozenset((service.tenant, service.id) for service in content.services)
