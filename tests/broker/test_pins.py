"""The broker that tests start, and the ones that people start with Compose, are one and the same."""

import re
from typing import Any

import pytest
import yaml

from tests.broker.jvm_broker import ROOT, pinned_version
from tests.broker_fixtures import DOCKER_BROKERS

KAFKAS = ("kafka-1", "kafka-2", "kafka-3")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The Compose file, read as YAML with its anchors resolved."""
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return document


def test_compose_and_pom_pin_one_kafka(compose: dict[str, Any]) -> None:
    """The three brokers of the Compose file run the version that the pom pins."""
    assert {compose["services"][name]["image"] for name in KAFKAS} == {f"apache/kafka:{pinned_version()}"}


def test_every_service_is_health_checked_pinned_and_keeps_its_data(compose: dict[str, Any]) -> None:
    """Each service that others made names an exact version, a health check and a volume, and publishes on
    127.0.0.1 alone.
    """
    for service in (one for one in compose["services"].values() if "build" not in one):
        assert re.fullmatch(r"[a-z/]+:\d+(\.\d+)+", service["image"])
        assert service["healthcheck"]["test"]
        assert service["volumes"][0].split(":")[0] in compose["volumes"]
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_outside_addresses_are_those_that_are_published(compose: dict[str, Any]) -> None:
    """A client on the host is sent to ports that lead to the very broker that advertised them."""
    advertised = []
    for name in KAFKAS:
        service = compose["services"][name]
        inside, outside = service["environment"]["KAFKA_ADVERTISED_LISTENERS"].split(",")
        assert inside == f"INSIDE://{name}:29092"
        address = outside.removeprefix("OUTSIDE://")
        port = address.rpartition(":")[2]
        assert service["ports"] == [f"127.0.0.1:{port}:{port}"]
        assert f"OUTSIDE://:{port}" in service["environment"]["KAFKA_LISTENERS"].split(",")
        advertised.append(address)
    assert ",".join(advertised) == DOCKER_BROKERS


def test_the_quorum_is_the_three_brokers(compose: dict[str, Any]) -> None:
    """Each broker votes under its own id and host name, and all agree who the voters are."""
    environments = [compose["services"][name]["environment"] for name in KAFKAS]
    assert len({environment["CLUSTER_ID"] for environment in environments}) == 1
    voters = {environment["KAFKA_CONTROLLER_QUORUM_VOTERS"] for environment in environments}
    expected = (
        f"{environment['KAFKA_NODE_ID']}@{name}:29093"
        for environment, name in zip(environments, KAFKAS, strict=True)
    )
    assert voters == {",".join(expected)}


def test_brokers_of_compose_keep_acknowledged_records(compose: dict[str, Any]) -> None:
    """Any one of the three may be lost: three replicas, two in sync, and no unclean election."""
    for name in KAFKAS:
        environment = compose["services"][name]["environment"]
        assert environment["KAFKA_DEFAULT_REPLICATION_FACTOR"] == 3
        assert environment["KAFKA_MIN_INSYNC_REPLICAS"] == 2
        assert environment["KAFKA_UNCLEAN_LEADER_ELECTION_ENABLE"] == "false"
        assert environment["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
