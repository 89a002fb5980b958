"""Which ids are a tenant's own services: those that were registered, and in doubt nobody."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from choice_ledger.access import TOKENS_AGE_MS_MAX
from choice_ledger.owner_file import LOOK_INTERVAL_MS_MAX, FileFault
from choice_ledger.service_file import (
    SERVICES_MAX,
    OwnService,
    ServiceFile,
    ServicesAtHand,
    ServicesFull,
    service_file_at,
)
from events.envelope import NAME_BYTES_MAX, InvalidEvent

NOW = 1_790_000_000_000_000


@pytest.fixture
def services(tmp_path: Path) -> Iterator[ServiceFile]:
    """A registry that is not there yet."""
    before = os.umask(0o077)
    yield service_file_at(tmp_path / "services.json")
    os.umask(before)


def at_hand(services: ServiceFile, clock: list[float] | None = None) -> ServicesAtHand:
    times = clock or [0.0]
    return ServicesAtHand(services, lambda: times[0])


def test_a_registered_id_is_the_tenants_own(services: ServiceFile) -> None:
    """It is so for the very tenant and the very id, letter for letter."""
    assert services.add("main", "payroll", NOW)
    registry = at_hand(services)
    assert registry.is_own("main", "payroll")
    others = [("acme", "payroll"), ("main", "Payroll"), ("main", "payrol"), ("main", ""), ("", "payroll")]
    assert [registry.is_own(*other) for other in others] == [False] * len(others)


def test_without_a_file_nobody_is_a_service(services: ServiceFile) -> None:
    """A ledger that has no registry has no own services, which is no fault."""
    registry = at_hand(services)
    assert not registry.is_own("main", "payroll")
    assert registry.fault() is None


def test_adding_and_removing_say_what_they_changed(services: ServiceFile) -> None:
    """Each may be done again, and then changes nothing."""
    assert [services.add("main", "crm", NOW), services.add("main", "crm", NOW + 1)] == [True, False]
    assert [own.added_at for own in services.services("main")] == [NOW]
    assert [services.remove("main", "crm"), services.remove("main", "crm")] == [True, False]
    assert services.services("main") == ()


def test_tenants_do_not_see_one_another(services: ServiceFile) -> None:
    """Each tenant's services are its own, also where the ids are the same."""
    services.add("main", "crm", NOW)
    services.add("acme", "crm", NOW)
    services.add("acme", "billing", NOW)
    assert [own.id for own in services.services("acme")] == ["billing", "crm"]
    assert list(at_hand(services).of_tenant("acme")) == ["billing", "crm"]
    assert list(at_hand(services).of_tenant("nobody")) == []
    services.remove("acme", "crm")
    assert at_hand(services).is_own("main", "crm")
    assert list(at_hand(services).of_tenant("acme")) == ["billing"]


def test_a_running_process_sees_a_change_within_the_bound(services: ServiceFile) -> None:
    """What another process removed is no service any more once the file was looked at, within a second."""
    services.add("main", "crm", NOW)
    clock = [0.0]
    registry = at_hand(services, clock)
    assert registry.is_own("main", "crm")
    services.remove("main", "crm")
    clock[0] += LOOK_INTERVAL_MS_MAX / 1_000
    assert not registry.is_own("main", "crm")
    assert LOOK_INTERVAL_MS_MAX <= TOKENS_AGE_MS_MAX


@pytest.mark.parametrize(
    "damage", [{"format": 2}, {"kinds": []}, {"services": [{"tenant": "main"}]}], ids=str
)
def test_a_damaged_registry_makes_nobody_a_service(services: ServiceFile, damage: dict[str, object]) -> None:
    """In doubt a use is not the controller's own."""
    services.add("main", "crm", NOW)
    content = json.loads(services.file.path.read_bytes())
    services.file.path.write_text(json.dumps(content | damage))
    registry = at_hand(services)
    assert not registry.is_own("main", "crm")
    assert "services.json" in str(registry.fault())
    with pytest.raises(FileFault):
        services.add("main", "billing", NOW)


WRONG_IDS = ["", "ana@example.org", "a b", "a\n", "a\u00a0b", "e\u0301", "\udc80", "a" * (NAME_BYTES_MAX + 1)]


@pytest.mark.parametrize("service_id", WRONG_IDS, ids=ascii)
def test_an_id_that_could_be_a_person_or_no_name_is_refused(services: ServiceFile, service_id: str) -> None:
    """Addresses, spaces, control characters and over-long names are refused, and nothing is written."""
    with pytest.raises(InvalidEvent):
        services.add("main", service_id, NOW)
    assert not services.file.path.exists()


@pytest.mark.parametrize("service_id", ["crm", "spiffe://acme/crm", "a" * NAME_BYTES_MAX, "grüße"])
def test_ids_of_services_are_taken(services: ServiceFile, service_id: str) -> None:
    """Names as services bear them are taken, up to the greatest length."""
    assert services.add("main", service_id, NOW)
    assert at_hand(services).is_own("main", service_id)


def test_there_may_be_so_many_services_and_no_more(services: ServiceFile) -> None:
    """The last that fits is registered; one more is refused until another was removed."""
    known = [OwnService(tenant="main", id=f"s-{number}", added_at=NOW) for number in range(SERVICES_MAX - 1)]
    services.file.path.write_bytes(msgspec.json.encode({"format": 1, "services": known}))
    assert services.add("main", "last", NOW)
    with pytest.raises(ServicesFull, match="remove"):
        services.add("acme", "one-more", NOW)
    assert not services.add("main", "last", NOW)
    assert at_hand(services).is_own("main", "last")
    services.remove("main", "s-0")
    assert services.add("acme", "one-more", NOW)
